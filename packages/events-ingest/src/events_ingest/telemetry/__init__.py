"""The collector's metrics, access log and request ids."""
