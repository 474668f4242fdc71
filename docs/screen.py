"""Draws docs/screen.svg: the screen after some fields of the simulated slide with blasts.

python docs/screen.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.bundle import bundle, sitefile
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.machine.profile import load_profile
from edge.optics.scale import Scales
from edge.records.store import Store
from edge.records.summary import Summary
from edge.tui.app import ScreeningApp
from edge.tui.snapshot import svg

FIELDS = 44
SIZE = (132, 42)


async def draw(target: Path) -> None:
    """Screen the slide in a terminal that nobody sees, and keep its last picture."""
    with TemporaryDirectory() as folder, Store(Path(folder) / "records.db") as store:
        app, summary = _app(store)
        async with app.run_test(size=SIZE) as pilot:
            while not summary.line:
                await pilot.pause(0.2)
            await pilot.pause(1)
            target.write_text(svg(app), encoding="utf-8")


def _app(store: Store) -> tuple[ScreeningApp, Summary]:
    profile, model, camera, summary = load_profile(), bundle.load(), SimulatedCamera(1), Summary()
    screening = Screening(
        camera=camera,
        bundle=model,
        classifier=Classifier(model, variant="ort-int8", threads=profile.runtime.threads),
        scales=Scales(asked="auto", nominal=0.1, camera=camera),
        store=store,
        profile=profile.name,
        options=ScreeningOptions(slide="demo", max_frames=FIELDS),
        sinks=[summary],
        site=sitefile.read(sitefile.DEMO),
    )
    return ScreeningApp(screening), summary


if __name__ == "__main__":
    asyncio.run(draw(Path(__file__).with_suffix(".svg")))
