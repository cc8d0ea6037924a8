"""Finding Java, and the jars that run on it."""
