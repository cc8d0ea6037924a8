"""What the stream asks of a table."""
