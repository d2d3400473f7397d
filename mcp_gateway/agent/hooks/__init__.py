"""What a client's hook calls: reads the call, finds whose ground it touches, asks the server, words the answer.

Only paths leave the machine, never what is written. A call whose paths were found covered a moment ago is answered
without the network and without importing what that takes (`memory`, `targets`, `entry` are the fast path).
"""
