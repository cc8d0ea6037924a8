"""The raw table as the batch job reads it."""
