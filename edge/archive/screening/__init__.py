"""A task of an archive: whole slides through the line of the device, and the rows that this gives."""
