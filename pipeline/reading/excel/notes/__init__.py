"""Find error cells, number formats and hidden rows, which the native reader leaves out."""
