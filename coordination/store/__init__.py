"""The only place with SQL over the domain's tables: one function per statement, no rules."""
