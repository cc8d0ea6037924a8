"""Start, wait for and stop processes on this machine."""
