"""A table stored as a folder of parquet files, with a log of commits beside it."""
