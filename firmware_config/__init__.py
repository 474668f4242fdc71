"""Data only, found through importlib.resources: device profiles and settings for the operating system."""
