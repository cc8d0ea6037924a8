"""Keys and rate limits: who may post events, and how often."""
