"""What a suite will cost: counted arithmetic and memory, measured or assumed speed, and the sum."""
