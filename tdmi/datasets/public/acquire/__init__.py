"""Get data: wheels with embedded data (`wheels`), and the four public data sets (`datasets`)."""
