"""Leukoscope on the device: camera → cells → classes → finding, with no network and no PyTorch."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("leukoscope")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
