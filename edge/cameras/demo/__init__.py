"""The simulated microscope: everything that `--camera demo` draws."""
