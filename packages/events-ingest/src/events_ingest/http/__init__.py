"""One HTTP request and its answer, whatever endpoint it is for."""
