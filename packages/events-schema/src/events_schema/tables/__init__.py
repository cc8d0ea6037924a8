"""Paths of a table's parts, and how its files are found and read.

Public to the sibling packages: moving a name needs a new major version of events-schema.
"""
