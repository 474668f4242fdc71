"""What runs outside: drivers of cameras that need the system's Python, each in a process of its own.

This folder stands alone. `python3 -I DIR` runs it with the interpreter for which the distribution packages
picamera2 and GStreamer's binding, which has none of our modules; so nothing here imports from `edge`, and
nothing in `edge` imports this. `edge.cameras.child.driver` is the other end.
"""
