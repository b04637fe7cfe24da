"""Matching of predicted people with those of the ground truth."""
