"""What is kept of a slide: the store, JSON lines, label images."""
