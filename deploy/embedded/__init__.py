"""Real PostgreSQL and a real Redis-compatible server from wheels, for machines that have neither."""
