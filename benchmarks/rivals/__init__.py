"""What Shipdrop is measured against; each module is a program of its own."""
