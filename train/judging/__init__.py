"""Figures of runs and bundles on labelled cells, with intervals, and pictures of them."""
