"""The commands other than `run`, which inspect or change a table."""
