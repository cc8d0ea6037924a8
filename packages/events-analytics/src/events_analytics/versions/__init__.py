"""The versions of a published table: named, described, and put in place in one step."""
