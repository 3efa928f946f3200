"""Turn blocks of text into canonical rows, judge them, and build their updates."""
