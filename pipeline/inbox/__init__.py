"""Find which file is ready, and take it."""
