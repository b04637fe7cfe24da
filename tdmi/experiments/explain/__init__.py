"""Intermediate results of a trained TDMI, to look at."""
