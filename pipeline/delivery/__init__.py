"""The delivery room: chunks to the API and their answers into the ledger. The only async room."""
