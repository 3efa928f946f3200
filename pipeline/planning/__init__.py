"""Hold updates against what the ledger knows: waves, chunks, frozen bodies."""
