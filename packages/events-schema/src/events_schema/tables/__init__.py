"""How a table is addressed, where its parts lie, and how its files are found and read.

Public to the sibling packages: a move in here is a major version of events-schema.
"""
