"""Labelled pictures: data sets, splits, windows round cells, and what an epoch draws of them."""
