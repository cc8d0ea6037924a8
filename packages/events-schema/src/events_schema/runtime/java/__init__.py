"""Finds Java, and downloads the jars that run on it."""
