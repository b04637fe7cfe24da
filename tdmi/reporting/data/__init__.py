"""Run folders read into data frames, and statements about them."""
