"""The learned segmenter: a small fully convolutional network that finds and outlines leukocytes.

`scenes` holds what it is shown, `teachers` makes that from data sets, `network` is the network, `fit` trains
it. `edge.cells.fcn` is how the device uses it, `export.graph.segmenter` how it gets there.
"""
