"""Verifies a published table."""
