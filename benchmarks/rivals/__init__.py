"""The programs that Shipdrop is measured against, a module each."""
