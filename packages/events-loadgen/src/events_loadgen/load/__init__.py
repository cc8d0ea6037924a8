"""Simulated clients: what they post, when they try again, and what became of it."""
