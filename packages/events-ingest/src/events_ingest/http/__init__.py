"""HTTP requests and answers, independent of the endpoint."""
