"""Changes between two trees of results: numbers, settings and records."""
