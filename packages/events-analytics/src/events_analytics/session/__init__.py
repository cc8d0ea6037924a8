"""The process around a job: its Spark, and the signals that end it."""
