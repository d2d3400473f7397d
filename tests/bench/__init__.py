"""The load tool: ``python3 manage.py bench``. Measures the platform from another process, over loopback.

Not part of the test suite: nothing here asserts a time. It prints a table, writes JSON, and says for every bar of
docs/performance.md whether this run met it.
"""
