"""The measures of Shipdrop: ``python -m benchmarks`` prints them, each with its target."""
