"""The report's figures, which DuckDB computes."""
