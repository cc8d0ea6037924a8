"""The pages and scripts for browsers: the tracker, the demo page, the API documentation."""
