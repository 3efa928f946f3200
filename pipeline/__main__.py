"""``python -m pipeline`` is ``shipdrop``."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
