"""What the tests of `up` share."""

import os
import shutil
import subprocess

import pytest

from deploy.testing import unavailable


@pytest.fixture(scope="session")
def as_ordinary_user() -> list[str]:
    """The start of a command line that runs the rest as somebody who is not root.

    Inside a user namespace root is an ordinary user without any rights, who still owns this checkout.
    """
    if os.geteuid() != 0:
        return []
    command = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False).returncode:
        unavailable("user namespaces", "run the suite as an ordinary user to test what that one sees")
    return command
