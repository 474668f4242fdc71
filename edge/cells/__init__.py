"""A specimen's leukocytes: found, outlined, measured and named."""
