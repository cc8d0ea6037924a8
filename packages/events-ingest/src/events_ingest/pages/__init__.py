"""What browsers fetch: the tracker, the demo page, the documentation."""
