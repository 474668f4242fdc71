"""Settings of a recipe, tried one beside the other."""
