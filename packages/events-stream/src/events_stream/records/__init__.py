"""Decoding Kafka records into events, and writing them into the files of a change."""
