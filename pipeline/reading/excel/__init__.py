"""Read workbooks, and check them before a native reader opens them."""
