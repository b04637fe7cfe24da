"""Regression check: numbers measured on a small suite, compared with a committed record.

A probe is a named number, ``<part>/<name>``; the parts are those of `comparison.PARTS`. `clips`,
`scoring` and `networks` hold probes that are the same every time; ``networks.trained`` holds those
that vary with the seed. `tdmi check-regression` runs them.
"""
