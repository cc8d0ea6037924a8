"""Code that the collector's tests share."""
