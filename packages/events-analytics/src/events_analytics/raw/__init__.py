"""Reads the raw table for the batch job."""
