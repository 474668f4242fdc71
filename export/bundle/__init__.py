"""From a run and its graphs to a bundle, and the check of one."""
