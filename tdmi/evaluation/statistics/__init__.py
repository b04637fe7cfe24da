"""Intervals and tests by resampling the videos."""
