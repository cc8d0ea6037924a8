"""The report's figures, queried with DuckDB."""
