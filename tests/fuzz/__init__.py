"""Reading bytes that nobody meant to be read."""
