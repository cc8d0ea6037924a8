"""The collector's speed."""
