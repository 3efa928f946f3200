"""Find what the native reader does not tell: error cells, number formats, what is hidden."""
