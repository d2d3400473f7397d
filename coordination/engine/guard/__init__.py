"""What a tool call is about to do, read off what its client tells a hook; and the answer the client understands.

Pure string work: nothing here runs a command, looks at a file or asks for the time. Content of files is never copied
into a result.
"""
