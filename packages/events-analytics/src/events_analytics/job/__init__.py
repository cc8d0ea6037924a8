"""The batch job: from the raw table's rows to a new version."""
