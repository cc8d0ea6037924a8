"""The batch job, which turns the raw table's rows into a new version of the result."""
