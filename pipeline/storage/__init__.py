"""Keep what lies on disk: atomic writes, names, folders, spools, the lock, the ledger."""
