"""Leukoscope on the device: camera → cells → classes → finding, with no network and no PyTorch."""

import os

# The line's matrices are small: handing them to OpenBLAS's threads takes ten times as long on a busy machine
# as multiplying them. Read when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Since 1.29 ONNX Runtime reports every session and model to its maker, on Linux too, unless this is set
# before it is imported (microsoft/onnxruntime#27379). Nothing leaves from here, whatever the user set.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# stands here and not in the package's metadata: to read that takes every start 30 ms and a megabyte
__version__ = "0.1.0"
