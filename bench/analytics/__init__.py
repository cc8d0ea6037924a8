"""The batch job's speed."""
