"""Signs of a mistake in the files, and input on which an official program ends."""
