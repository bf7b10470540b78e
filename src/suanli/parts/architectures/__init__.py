"""One file for each family of blocks that a config.json may describe."""
