"""What the commands of all packages share, and nothing of the contract.

Public to the sibling packages: a move in here is a major version of events-schema.
"""
