"""The review: a person goes through a slide's cells and says what they are."""
