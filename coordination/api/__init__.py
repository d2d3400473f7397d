"""The REST door: one table of routes, two carriers over it, and what both say about themselves.

``routes`` is the table; ``hot`` carries bearer tokens over raw ASGI, ``session`` carries the dashboard's
session over Django REST framework; ``openapi`` describes it. Nothing here decides anything: handlers call
services and selectors.
"""
