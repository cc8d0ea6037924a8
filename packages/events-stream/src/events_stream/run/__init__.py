"""One run of the stream, from its start to its end."""
