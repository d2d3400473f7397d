"""Wiring a repository: what `interlock init` writes, where, and how it is taken out again.

Everything is planned first, as bytes before and bytes after (:mod:`plan`), then written at once. Files of others are
edited as text, never dumped anew: whatever is not ours keeps its bytes.
"""
