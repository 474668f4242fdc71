"""The detector: a small network that finds the cells of a field and says what they are, in one step.

`boxes` reads fields with boxes, `patches` cuts what the network is shown and its targets, `network` is the
network, `fit` trains it, `matching` and `evaluate` judge it. `edge.cells.detector` is how the device uses it,
`export.published.detector` how it gets there.
"""
