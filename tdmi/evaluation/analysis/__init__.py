"""Analyses behind a score: curves, calibration, slices, oracle motion."""
