"""From Kafka's records to events, and to the files of a change."""
