"""What computes, put together as a profile asks for it: the one place where that is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import cv2

from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.cells.segment import Segmenter, segmenter
from edge.machine.profile import Profile, RuntimeKind, data_folder
from edge.runtimes import Tell
from edge.selftest import selftest


@dataclass(frozen=True)
class Engine:
    """A model, ready to read fields.

    Attributes
    ----------
    bundle : the model.
    classifier : its classifier in the precision that was chosen, warm.
    find : how its cells are found, warm.
    profile : by which it was opened; its runtime is the one that was asked for.
    close : lets go of the runtimes; twice does nothing. Whoever keeps only this does not keep the bundle,
        whose graphs are megabytes.
    """

    bundle: Bundle
    classifier: Classifier
    find: Segmenter
    profile: Profile
    close: Callable[[], None]


def open_engine(profile: Profile, bundle: Bundle, runtime: RuntimeKind | None, tell: Tell) -> Engine:
    """Load what the line needs of a bundle, in the precision that the profile asks for and that works here.

    OpenCV's number of threads, one for the whole process, becomes the profile's.

    Parameters
    ----------
    runtime : what is to run the networks; None leaves it to the profile.
    tell : takes a line for every precision that is passed over, and about long work: building an engine
        takes minutes.

    Raises
    ------
    GraphError : the runtime cannot be had, or cannot run a graph.
    SelftestError : not even FP32 answers rightly.
    """
    cv2.setNumThreads(profile.images.threads)
    if runtime is not None:
        profile = replace(profile, runtime=replace(profile.runtime, kind=runtime))
    with ExitStack() as held:
        classifier = selftest.choose(bundle, profile.runtime, folder=data_folder(), tell=tell)
        held.callback(classifier.close)
        classifier.warm_up()
        find = segmenter(bundle, profile.runtime.threads)
        if (close := getattr(find, "close", None)) is not None:  # a way without a network holds nothing
            held.callback(close)
        return Engine(bundle, classifier, find, profile, held.pop_all().close)
