"""Simulated clients: what they post, when they retry, and what they report."""
