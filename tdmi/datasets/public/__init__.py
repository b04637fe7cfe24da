"""The four public data sets: acquire, check, prepare."""
