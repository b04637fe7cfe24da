"""Readers and writers of label and prediction files."""
