"""Runs that publish and die, and the readers meanwhile."""
