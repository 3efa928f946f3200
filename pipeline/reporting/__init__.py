"""Write what comes back: results, rejects, summaries; archive or quarantine the file."""
