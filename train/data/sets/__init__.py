"""Data sets that training and evaluation read, one file a kind.

A reader turns somebody's folders into `train.data.dataset.Picture`s: pixels, their physical scale, and where
the labelled cells lie. A new data set is one file here that makes a `DataSet`, and one line in
`train.data.registry`. Readers never stop at an odd file; they say so through `notice` and go on.
"""
