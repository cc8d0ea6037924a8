"""The way of records to Kafka; nothing here knows of HTTP."""
