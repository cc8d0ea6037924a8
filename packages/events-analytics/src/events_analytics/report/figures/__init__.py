"""What the tables say, by DuckDB."""
