"""Foundations of all other packages: errors, files, locks, processes, checks of options."""
