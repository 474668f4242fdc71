"""The published systems, rebuilt: their networks, and their methods without one."""
