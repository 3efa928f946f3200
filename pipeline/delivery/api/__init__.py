"""Speak to the receiving API, and understand its answers."""
