"""Floor 6: real small steps of plain PyTorch on a machine; with `measure` the only home of torch."""
