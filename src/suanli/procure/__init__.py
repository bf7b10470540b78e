"""Floor 3: what to buy and rent, when; the only home of the solver."""
