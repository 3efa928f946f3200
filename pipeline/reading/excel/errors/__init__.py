"""Find the error cells of workbooks, which the native reader drops."""
