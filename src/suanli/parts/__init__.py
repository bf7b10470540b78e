"""Floor 3: plug-ins that marry nouns to formulas; a file in a folder is a plug-in."""
