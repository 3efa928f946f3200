"""Compare updates with the history of their orders: waves, chunks, frozen bodies."""
