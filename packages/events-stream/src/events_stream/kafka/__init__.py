"""The Kafka topic that the stream reads, and the offsets at which it resumes."""
