"""The topic that the stream reads, and where it resumes."""
