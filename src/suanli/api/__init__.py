"""Floor 7: what scripts and faces call: one module for each command, with plain arguments in and nouns out."""
