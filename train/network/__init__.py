"""The classifier's network."""
