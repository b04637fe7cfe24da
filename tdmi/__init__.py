"""TDMI and the benchmark around it: data sets, models, training, official evaluation, reports."""

__version__ = "0.2.0"
