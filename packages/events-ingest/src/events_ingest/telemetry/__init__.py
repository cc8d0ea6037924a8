"""What the collector says of itself: metrics, the access log, an id for each request."""
