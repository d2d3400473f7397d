"""What may be done: lock, load, let the engine decide, write, append to the ledger, nudge after commit."""
