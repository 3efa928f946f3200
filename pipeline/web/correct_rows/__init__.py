"""Correct the rows of a drop on the page: the draft, its cells, the check, the corrected file."""
