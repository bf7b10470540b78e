"""Floor 5: a machine's own kernels timed through PyTorch, fitted, and written as a profile that commands accept."""
