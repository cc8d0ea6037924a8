"""The table that the stream writes: its position, the steps of a change, and its files."""
