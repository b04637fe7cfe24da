"""One module per sub-command of `tdmi`."""
