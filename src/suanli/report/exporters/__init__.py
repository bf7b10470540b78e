"""One file for each launch format."""
