"""Several workers on one ledger: nothing here is imported by an embedded run."""
