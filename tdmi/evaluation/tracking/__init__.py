"""Tracking scores."""
