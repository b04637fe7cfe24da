"""What lies behind a score: curves, slices, calibration, oracles."""
