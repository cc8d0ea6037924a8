"""SQL with which query engines can read the tables."""
