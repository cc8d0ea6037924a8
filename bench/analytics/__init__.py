"""The speed of the batch job."""
