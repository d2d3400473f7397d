"""Reads: the principal first, public shapes out (api.md, "Shapes that clients may rely on")."""
