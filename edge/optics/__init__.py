"""What camera and microscope do to a picture, measured and undone: illumination, scale, colour."""
