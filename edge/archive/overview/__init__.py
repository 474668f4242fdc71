"""What a person sees of an archive: how far it is, and a page of what came of it."""
