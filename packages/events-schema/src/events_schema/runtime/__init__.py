"""Code that the commands of all packages share and that does not depend on the contract.

Public to the sibling packages: moving a name needs a new major version of events-schema.
"""
