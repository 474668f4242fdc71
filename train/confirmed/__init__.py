"""Cells that people confirmed on devices, as a data set, and where machine and people differ."""
