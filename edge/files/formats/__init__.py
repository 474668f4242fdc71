"""One module for each format of picture files; `edge.files.pictures` is the door to them.

Each has `pages(file)`: every picture of an open file in order, (H, W, 3) uint8 RGB and upright, or a line of
text where one cannot be read; it raises ValueError, with the reason, where nothing more can be read.
"""

DAMAGED = "the file is cut short or damaged"
"""How a reason begins where a file is not what its writer wrote."""
