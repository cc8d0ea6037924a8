"""The models: the types of columns, what an event is, and what is derived from its class."""
