"""Floor 2: the nouns of the field, frozen and without formulas."""
