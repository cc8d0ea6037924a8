"""Shared code of the tests of several packages."""
