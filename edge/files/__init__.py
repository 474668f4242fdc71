"""Files as they come from elsewhere and as they must be left: read strictly, written whole."""
