"""Floor 1: errors, units, figures, equations, registers. Imports nothing of ours."""
