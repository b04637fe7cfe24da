"""What everything else stands on: errors, files, locks, processes, checks of options."""
