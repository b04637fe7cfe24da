"""Has a change made the bench worse? Numbers measured on a small suite, compared with a record.

A probe is a named number, ``<part>/<what>``; the parts are those of `tdmi.experiments.regression.judgement`.
`fixed` and `networks` measure what is the same every time, `trained` what varies with the seed.
"""
