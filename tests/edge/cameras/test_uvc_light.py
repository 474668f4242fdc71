from __future__ import annotations

import errno
from contextlib import closing

from edge.cameras import Adjustable, Camera
from edge.cameras.v4l2 import abi
from edge.types import Light
from tests.edge.cameras.fake_v4l2 import AUTO, MANUAL, FakeCamera
from tests.edge.cameras.uvc_rig import take


def test_light_is_automatic_first_and_held_where_it_settles(fake: FakeCamera, uvc: Camera) -> None:
    assert isinstance(uvc, Adjustable)
    fake.knobs[abi.CID_EXPOSURE_AUTO].value = MANUAL
    fake.knobs[abi.CID_AUTO_WHITE_BALANCE].value = 0
    with closing(uvc):
        uvc.open()
        (frame,) = take(uvc)
        assert fake.knobs[abi.CID_EXPOSURE_AUTO].value == AUTO
        assert fake.knobs[abi.CID_AUTO_WHITE_BALANCE].value == 1
        assert fake.knobs[abi.CID_FOCUS_AUTO].value == 0
        assert uvc.light() == Light()
        assert frame.exposure_ms is None
        fake.knobs[abi.CID_EXPOSURE_ABSOLUTE].value = 83
        fake.knobs[abi.CID_WHITE_BALANCE_TEMPERATURE].value = 3900
        last = take(uvc, 20)[-1]  # 0.8 s; `settle_s` is 0.5
        assert fake.knobs[abi.CID_EXPOSURE_AUTO].value == MANUAL
        assert uvc.light() == Light(exposure_ms=8.3, gain=12, white=(3900,))
        assert last.exposure_ms == 8.3
    assert uvc.light() is None


def test_light_that_a_camera_tells_wrongly_is_not_held(fake: FakeCamera, uvc: Camera) -> None:
    assert isinstance(uvc, Adjustable)
    exposure = fake.knobs[abi.CID_EXPOSURE_AUTO]
    fake.spoil = lambda data: data if exposure.value == AUTO else bytes(len(data))
    for _ in range(2):
        with closing(uvc):
            uvc.open()
            take(uvc, 60)
            assert exposure.value == AUTO
            assert uvc.light() == Light()
            assert uvc.note == (  # type: ignore[attr-defined]
                "exposure stays automatic, for this camera does not tell what it found"
            )
    uvc.fix_light(Light(exposure_ms=4.0))
    fake.spoil = bytes
    with closing(uvc):
        uvc.open()
        take(uvc, 60)
        assert uvc.light() == Light(exposure_ms=4.0, gain=12)
        assert uvc.note is None  # type: ignore[attr-defined]


def test_held_light_is_kept_over_reopening(fake: FakeCamera, uvc: Camera) -> None:
    assert isinstance(uvc, Adjustable)
    uvc.open()
    take(uvc, 20)
    held = uvc.light()
    uvc.close()
    fake.knobs[abi.CID_EXPOSURE_AUTO].value = AUTO  # what a camera forgets without power
    fake.knobs[abi.CID_EXPOSURE_ABSOLUTE].value = 999
    with closing(uvc):
        uvc.open()
        (frame,) = take(uvc)
        assert uvc.light() == held
        assert frame.exposure_ms == 15.6


def test_light_can_be_given_and_given_back(fake: FakeCamera, uvc: Camera) -> None:
    assert isinstance(uvc, Adjustable)
    uvc.fix_light(Light(exposure_ms=4.0, gain=300, white=(4012,)))
    with closing(uvc):
        uvc.open()
        take(uvc)
        assert uvc.light() == Light(exposure_ms=4.0, gain=100, white=(4010,))  # what the camera can do of it
        uvc.fix_light(Light(exposure_ms=2.0))
        take(uvc)
        assert uvc.light() == Light(exposure_ms=2.0, gain=100)
        uvc.fix_light(None)
        take(uvc)
        assert uvc.light() == Light()


def test_a_camera_without_controls_is_left_alone(fake: FakeCamera, uvc: Camera) -> None:
    assert isinstance(uvc, Adjustable)
    fake.knobs.clear()
    uvc.fix_light(Light(exposure_ms=4.0, gain=3, white=(4000,)))
    with closing(uvc):
        uvc.open()
        assert take(uvc, 20)[-1].exposure_ms is None
        assert uvc.light() == Light()


def test_controls_that_fail_do_not_stop_the_pictures(fake: FakeCamera, uvc: Camera) -> None:
    fake.fails[abi.S_CTRL] = fake.fails[abi.G_CTRL] = errno.EIO
    with closing(uvc):
        uvc.open()
        assert len(take(uvc, 20)) == 20
