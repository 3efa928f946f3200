"""The commands, a module per group. Each asks the wiring for what it needs and prints it."""
