"""The ASGI application, the HTTP server and the worker processes."""
