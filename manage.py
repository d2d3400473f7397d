#!/usr/bin/env python3
"""Every command of Interlock: up, test, bench, and all of Django's. Needs nothing but Python and git."""

import os
import sys

# Nothing above this check may be younger than Python 3.0: an old one shall say so, not stumble.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("Interlock needs Python 3.11 or later, and this is %d.%d: try python3.11" % sys.version_info[:2])  # noqa: UP031

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from deploy import bootstrap

    sys.exit(bootstrap.main(sys.argv[1:]))
