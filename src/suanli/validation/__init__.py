"""Floor 5: predictions held against measured runs."""
