"""Graphs and bundles of the published systems' detector."""
