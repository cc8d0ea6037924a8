"""Sends records to Kafka, independent of HTTP."""
