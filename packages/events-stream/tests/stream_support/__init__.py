"""Helpers that the stream's tests share."""
