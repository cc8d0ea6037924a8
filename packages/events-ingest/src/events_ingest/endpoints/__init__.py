"""The endpoints that accept events: `/track` with its fast lane, and `/batch`."""
