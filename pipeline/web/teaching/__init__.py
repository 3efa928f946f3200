"""Teach a courier on the page: the steps, the profile that results, and its file."""
