"""Write results, rejects and summaries; archive or quarantine the file."""
