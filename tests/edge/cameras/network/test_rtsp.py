from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from edge.cameras import CameraError
from edge.cameras.network import rtsp
from tests.edge.cameras.servers import camera_serving, failure, no_http, opened


@pytest.fixture(autouse=True)
def patient_decoder(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it a silent one to FFmpeg."""
    monkeypatch.setattr(rtsp, "OPEN_MS", 20000)
    monkeypatch.setattr(rtsp, "READ_MS", 5000)


@contextmanager
def rtsp_serving(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of an RTSP stream from GStreamer's own server, and its process."""
    program = tmp_path / "server.py"
    program.write_text(
        "import gi\n"
        "gi.require_version('Gst', '1.0')\n"
        "gi.require_version('GstRtspServer', '1.0')\n"
        "from gi.repository import GLib, Gst, GstRtspServer\n"
        "Gst.init(None)\n"
        "factory = GstRtspServer.RTSPMediaFactory()\n"
        "factory.set_launch('( videotestsrc is-live=true pattern=red ! video/x-raw,width=320,height=240,'\n"
        "    'framerate=25/1 ! x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 )')\n"
        "server = GstRtspServer.RTSPServer(address='127.0.0.1', service='0')\n"
        "server.get_mount_points().add_factory('/live', factory)\n"
        "server.attach(None)\n"
        "print(server.get_bound_port(), flush=True)\n"
        "GLib.MainLoop().run()\n"
    )
    python = "/usr/bin/python3"
    probe = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if (
        not shutil.which(python)
        or subprocess.run([python, "-I", "-c", probe], capture_output=True).returncode
    ):
        pytest.skip("no RTSP server: apt install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-ugly")
    with subprocess.Popen([python, "-I", str(program)], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield f"rtsp://127.0.0.1:{int(server.stdout.readline())}", server
        finally:
            server.kill()


def test_rtsp_for_real(tmp_path: Path) -> None:
    with rtsp_serving(tmp_path) as (url, server):
        assert "has nothing under this path" in failure(f"{url}/nothing")
        with closing(opened(f"{url}/live")) as camera:
            frames = [camera.read() for _ in range(5)]
            red, green, blue = frames[-1].pixels[120, 160]
            assert red > 200 > 60 > max(green, blue)
            assert all(a.monotonic_s < b.monotonic_s for a, b in pairwise(frames))
            server.kill()
            with pytest.raises(CameraError, match=r"the stream broke off|sends no pictures"):
                [camera.read() for _ in range(50)]


def test_rtsp_that_is_none() -> None:
    with camera_serving(no_http) as host:
        assert "is not an RTSP camera" in failure(f"rtsp://nurse:secret@{host}/live")
