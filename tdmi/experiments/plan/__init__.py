"""Estimate the cost of a suite: counted arithmetic and memory, measured or assumed speed, sums."""
