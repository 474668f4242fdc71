"""Recipes: what to train on and how, and how they are read."""
