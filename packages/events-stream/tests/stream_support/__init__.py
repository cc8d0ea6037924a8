"""What the stream's tests share."""
