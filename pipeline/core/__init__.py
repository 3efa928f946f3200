"""Records, errors, ports and small pure helpers that several steps share."""
