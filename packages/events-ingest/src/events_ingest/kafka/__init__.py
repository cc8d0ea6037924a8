"""Sending records to Kafka; nothing here knows about HTTP."""
