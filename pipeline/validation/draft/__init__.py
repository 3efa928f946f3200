"""Guess a starting profile from a courier's sample file."""
