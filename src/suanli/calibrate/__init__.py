"""Floor 6: free figures of the training model fitted to measured runs, and what a fit does not know."""
