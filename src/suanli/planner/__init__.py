"""Floor 5: the only place that decides: a scenario and the market of a date in, a plan out."""
