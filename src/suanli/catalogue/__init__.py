"""Floor 3: data files to nouns, with their faults named."""
