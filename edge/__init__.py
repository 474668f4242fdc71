"""Leukoscope on the device: camera → cells → classes → finding, with no network and no PyTorch."""

import os
from importlib.metadata import PackageNotFoundError, version

# The line's matrices are small: handing them to OpenBLAS's threads takes ten times as long on a busy machine
# as multiplying them. Read when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Since 1.29 ONNX Runtime reports every session and model to its maker, on Linux too, unless this is set
# before it is imported (microsoft/onnxruntime#27379). Nothing leaves from here, whatever the user set.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

try:
    __version__ = version("leukoscope")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
