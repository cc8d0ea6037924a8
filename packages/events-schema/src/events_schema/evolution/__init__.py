"""The releases of a contract, and checks that a change breaks nothing."""
