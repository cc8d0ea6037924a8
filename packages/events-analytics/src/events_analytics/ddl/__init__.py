"""SQL that lets engines read the tables."""
