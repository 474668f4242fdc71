"""A slide under a person's eye: what is worth looking at, what was said of it, and what follows."""
