"""The embedded real video: one person seen by four calibrated cameras, with pseudo-labels."""
