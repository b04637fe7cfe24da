"""Suites, grids and methods in YAML, and the typed settings of a run."""
