"""Cameras whose drivers run in a process of their own, so that one that hangs can be ended."""
