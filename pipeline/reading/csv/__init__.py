"""Read CSV: its encoding, its dialect, its cells."""
