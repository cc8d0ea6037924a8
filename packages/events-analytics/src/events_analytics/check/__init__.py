"""Whether a published table is what it should be."""
