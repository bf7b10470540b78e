"""Floor 2: the formulas of the field, pure functions of numbers that know no noun."""
