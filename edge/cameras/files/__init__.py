"""Folders, globs, images and videos as a camera."""
