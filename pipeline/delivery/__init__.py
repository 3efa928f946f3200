"""Send chunks to the API and book their answers in the ledger; runs in a thread of its own."""
