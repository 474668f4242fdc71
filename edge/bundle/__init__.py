"""The model bundle: what a model says of itself, what it is shown, who vouches for it."""
