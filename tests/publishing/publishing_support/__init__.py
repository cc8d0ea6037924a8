"""The publishing campaign: runs that die while they publish, and readers at the same time."""
