"""`interlock doctor`: every link between a tool's edit and the server, looked at by itself, with how to mend it."""
