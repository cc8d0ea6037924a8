"""Who may post, and how often."""
