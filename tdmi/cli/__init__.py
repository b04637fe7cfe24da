"""The `tdmi` command: one thin module per sub-command."""
