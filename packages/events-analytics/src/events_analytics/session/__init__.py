"""The process around a job: its Spark session, and the signals that end it."""
