"""The stream's speed."""
