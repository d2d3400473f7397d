"""The `interlock` command: what runs beside an agent, on the standard library alone."""

VERSION = "0.1.0"
