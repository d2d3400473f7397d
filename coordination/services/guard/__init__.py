"""The guard: what becomes of an edit at the moment it happens. ``judging`` is the way in."""
