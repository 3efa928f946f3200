"""Wire the steps together, and move drops from step to step."""
