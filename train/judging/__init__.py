"""Figures of runs and bundles on labelled cells, with intervals, and plots of them."""
