"""What takes events: one, many, or one by the fast lane."""
