"""Slides and patients: a list to search, what is known of a slide, two slides side by side."""
