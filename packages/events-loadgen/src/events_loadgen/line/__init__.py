"""The whole line on one machine, from HTTP to SQL."""
