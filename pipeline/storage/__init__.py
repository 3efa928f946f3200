"""Keep files and state: atomic writes, names, folders, spools, the lock, the ledger."""
