"""Leukoscope on the workstation: data sets, training, evaluation (PyTorch)."""
