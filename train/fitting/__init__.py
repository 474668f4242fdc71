"""From a recipe to a finished run: epochs, checkpoints, operating point, provenance."""
