"""Evidence: what a file says of its shipments outside the columns that are read for it."""
