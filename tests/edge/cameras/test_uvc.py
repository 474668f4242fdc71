from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from edge.cameras import Camera, CameraError
from edge.cameras.pace import KEPT
from edge.cameras.uvc import LONGEST_START_S, PATIENCE_S
from edge.cameras.v4l2 import abi
from tests.edge.cameras.fake_v4l2 import FakeCamera
from tests.edge.cameras.fakes import number_in
from tests.edge.cameras.uvc_rig import failing, take


def test_frames_are_rgb_and_tell_when_they_were_taken(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        began_s = fake.now_s
        first, second = take(uvc, 2)
    assert (number_in(first.pixels), number_in(second.pixels)) == (0, 1)
    assert first.monotonic_s == pytest.approx(began_s + 0.04)
    assert second.monotonic_s == pytest.approx(began_s + 0.08)
    assert abs(second.captured_at - datetime.now(UTC)) < timedelta(seconds=30)
    assert first.source == uvc.name == "Microscope"
    assert fake.held == 0


def test_the_newest_comes_and_those_before_it_are_not_decoded(
    fake: FakeCamera, uvc: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(uvc):
        uvc.open()
        take(uvc)
        fake.now_s += 0.121  # three more came meanwhile
        (frame,) = take(uvc)
    assert number_in(frame.pixels) == 3


def test_after_a_long_pause_a_picture_comes_that_was_taken_since(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        take(uvc)
        fake.now_s += 30  # the driver filled its few buffers at the beginning of that
        since_s = fake.now_s
        (frame,) = take(uvc)
    assert frame.monotonic_s > since_s


# each fault that the guest's cameras can have; tests/system has them again, with the kernel's own driver


def test_unplugged_while_it_is_read(fake: FakeCamera, uvc: Camera) -> None:
    uvc.open()
    take(uvc)
    fake.unplugged = True
    began_s = fake.now_s
    failing(uvc, r"camera .*/video0: .*/video0 \(Microscope\) was unplugged; plug it in again")
    assert fake.now_s == began_s
    uvc.close()
    with pytest.raises(CameraError, match=r"\(Microscope\) was unplugged; plug it in again"):
        uvc.open()
    assert fake.held == 0
    fake.unplugged = False
    uvc.open()
    assert take(uvc)[0].index == 0
    uvc.close()


def test_a_fatal_error_of_the_stream(fake: FakeCamera, uvc: Camera) -> None:
    uvc.open()
    take(uvc)
    fake.failed = True
    failing(uvc, r"has failed \(Input/output error\); unplug it and plug it in again")
    uvc.close()
    uvc.open()
    assert take(uvc)
    uvc.close()
    assert fake.held == 0


@pytest.mark.parametrize("call", [abi.STREAMON, abi.REQBUFS, abi.QUERYBUF, abi.S_FMT, abi.ENUM_FMT])
def test_a_stream_that_does_not_start(call: int, fake: FakeCamera, uvc: Camera) -> None:
    fake.fails[call] = errno.EIO
    for _ in range(3):
        with pytest.raises(CameraError, match=r"has failed \(Input/output error\)"):
            uvc.open()
        assert fake.held == 0
    del fake.fails[call]
    uvc.open()
    assert take(uvc)
    uvc.close()


def test_a_frozen_camera_is_noticed_within_a_second_and_goes_on(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        take(uvc)
        fake.frozen = True
        began_s = fake.now_s
        failing(uvc, "gives no pictures; check its cable, or unplug it and plug it in again")
        assert 0.5 < fake.now_s - began_s < 1.5
        fake.frozen = False
        assert take(uvc)[0].index == 1


def test_damaged_pictures_are_left_out(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        take(uvc)
        fake.flagged = 3
        (frame,) = take(uvc)
    assert number_in(frame.pixels) == 4


def test_nothing_but_damaged_pictures(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        take(uvc)
        fake.flagged = 1000
        began_s = fake.now_s
        failing(uvc, "gives only damaged pictures; check its cable")
        assert fake.now_s - began_s < 1.5
        fake.flagged, fake.frozen = 0, True
        failing(uvc, "gives no pictures")


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff\xd8 rubbish \xff\xd9"],
)
def test_pictures_that_cannot_be_decoded(
    spoil: Callable[[bytes], bytes], fake: FakeCamera, uvc: Camera
) -> None:
    fake.offers = {"MJPG": {(64, 48): (25.0,)}}
    with closing(uvc):
        uvc.open()
        take(uvc)
        fake.spoil = spoil
        failing(uvc, "gives only damaged pictures")
        fake.spoil = bytes
        assert take(uvc)[0].index == 1


def test_a_buffer_that_the_driver_refuses_once_is_not_lost(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        for _ in range(8):
            fake.fails_once[abi.QBUF] = errno.EINVAL
            assert take(uvc)


def test_a_picture_from_before_the_end_is_not_given_again(fake: FakeCamera, uvc: Camera) -> None:
    """v4l2loopback begins with the last picture of a program that died, in a new buffer with a new stamp."""
    uvc.open()
    last = take(uvc, 3)[-1]
    uvc.close()
    shown = number_in(last.pixels)
    fake.taken, fake.shown = 0, lambda number: shown if number < 2 else number
    uvc.open()
    assert number_in(take(uvc)[0].pixels) == shown + 1 == 3
    uvc.close()
    fake.shown = lambda number: 3
    uvc.open()
    assert take(uvc, 2)  # what does not change may be a dark field: the feed judges that
    uvc.close()


def test_a_driver_that_gives_one_buffer_over_and_over(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        (frame,) = take(uvc)
        shown, at_s = number_in(frame.pixels), frame.monotonic_s
        fake.shown, fake.stamp = (lambda number: shown), (lambda taken_s, number: (at_s, 0))
        failing(uvc, "gives no pictures")


@pytest.mark.parametrize("error", [-0.17, 5.0, 1e9])
def test_time_stamps_that_cannot_be_true_are_not_used(error: float, fake: FakeCamera, uvc: Camera) -> None:
    fake.stamp = lambda taken_s, number: (taken_s - error, number)
    with closing(uvc):
        uvc.open()
        for _ in range(3):
            (frame,) = take(uvc)
            assert frame.monotonic_s == pytest.approx(fake.now_s, abs=1e-3)


def test_time_stamps_that_stand_still_are_not_used(fake: FakeCamera, uvc: Camera) -> None:
    first_s = fake.now_s
    fake.stamp = lambda taken_s, number: (first_s, number)
    with closing(uvc):
        uvc.open()
        frames = take(uvc, 5)
    times = [frame.monotonic_s for frame in frames]
    assert times[1:] == pytest.approx([first_s + 0.04 * n for n in range(2, 6)], abs=1e-3)


@pytest.mark.parametrize("pixels", ["MJPG", "YUYV", "RGB3"])
def test_another_size_than_agreed_is_seen_and_told(pixels: str, fake: FakeCamera, uvc: Camera) -> None:
    fake.offers = {pixels: {(64, 48): (25.0,), (128, 96): (25.0,)}}
    fake.really = (pixels, 64, 48)
    with closing(uvc):
        uvc.open()
        frames = take(uvc, 3)
        assert uvc.note == f"sends 64×48 pixels though 128×96 {pixels} was agreed"  # type: ignore[attr-defined]
    assert {frame.pixels.shape for frame in frames} == {(48, 64, 3)}
    assert number_in(frames[-1].pixels) > number_in(frames[0].pixels)


def test_a_rate_that_is_not_kept_is_no_error(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        fake.opened[-1].fps = 3.0
        assert take(uvc, 5)


def test_a_slow_starter_gets_more_time_each_time(fake: FakeCamera, uvc: Camera) -> None:
    ready_s = 3.0

    def attempt() -> float:
        began_s = fake.now_s
        uvc.open()
        fake.opened[-1].next_s = began_s + ready_s
        with closing(uvc):
            try:
                uvc.read()
            except CameraError:
                return fake.now_s - began_s
        return 0.0

    waited = [attempt() for _ in range(3)]
    assert waited == pytest.approx([1.0, 2.0, 0.0])
    ready_s = 100.0
    waited = [attempt() for _ in range(50)]
    assert max(waited) == waited[-1] == pytest.approx(LONGEST_START_S)
    assert fake.held == 0


def test_an_exposure_of_seconds_is_waited_for_once_it_is_known(fake: FakeCamera, uvc: Camera) -> None:
    with closing(uvc):
        uvc.open()
        take(uvc, 3)
        fake.opened[-1].fps = 0.5
        take(uvc)  # on its way already
        failing(uvc, "gives no pictures")
    with closing(uvc):
        uvc.open()
        fake.opened[-1].fps = 0.5
        take(uvc, 5)
        fake.opened[-1].fps = 25.0
        take(uvc, 1 + KEPT)
        fake.opened[-1].next_s = began_s = fake.now_s
        fake.opened[-1].next_s += 100.0
        failing(uvc, "gives no pictures")
        assert fake.now_s - began_s == pytest.approx(PATIENCE_S)
