"""What the collector's tests share."""
