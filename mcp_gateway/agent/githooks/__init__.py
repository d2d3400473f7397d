"""What git's hooks call: commits are verified and attested, messages get trailers, pushes are held against what was
attested. `git commit --no-verify` and `git push --no-verify` go past them; the gate in CI does not (docs/ci.md).
"""
