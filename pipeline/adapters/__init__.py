"""The effects: file system, ledger, network and clock, each behind a small port."""
