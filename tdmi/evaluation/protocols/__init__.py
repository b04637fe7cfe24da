"""The official evaluators, one module each."""
