"""Which predicted person is which person of the ground truth."""
