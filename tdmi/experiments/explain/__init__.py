"""What a trained TDMI computes for one person."""
