"""What a bundle must find again on this machine, and which precision this machine can trust."""
