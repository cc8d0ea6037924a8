"""The commands beside `run`: they look at a table, or change it."""
