"""What the batch job's tests share."""
