"""How a contract changes: its releases, and what a change breaks."""
