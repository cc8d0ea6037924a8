"""The collector as a process that listens: the application, and what serves it."""
