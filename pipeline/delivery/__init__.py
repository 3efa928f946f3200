"""Send chunks to the API and record the answers in the ledger; runs in a thread of its own."""
