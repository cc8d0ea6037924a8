"""A line that is killed again and again, and what its table must hold."""
