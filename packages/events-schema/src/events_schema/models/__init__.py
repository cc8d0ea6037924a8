"""The models: the column types, the event, and the models derived from its class."""
