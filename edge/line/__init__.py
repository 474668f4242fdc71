"""The line of a frame: from a camera's frame to what the slide says."""
