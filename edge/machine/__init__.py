"""This computer: its profile, its clock, its health, its memory, its service manager."""
