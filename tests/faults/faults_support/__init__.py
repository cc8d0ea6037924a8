"""The fault campaign: a line that is killed repeatedly, and checks of its table."""
