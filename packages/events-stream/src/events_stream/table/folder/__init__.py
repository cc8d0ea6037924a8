"""A table that is a folder of parquet files, with a log of commits beside it."""
