"""Helpers that the batch job's tests share."""
