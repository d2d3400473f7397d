"""Checkouts as git makes them, told without git."""

from pathlib import Path

from mcp_gateway.agent.repo import branch, checkout_of
from tests.agent.desk import git, repository


def test_a_plain_checkout_is_found_from_below_and_for_paths_that_do_not_exist(tmp_path: Path) -> None:
    app = repository(tmp_path / "app")
    found = checkout_of(app / "src/auth/none/such.py")
    assert found is not None
    assert (found.top, found.main, found.git_dir, found.common_dir) == (app, app, app / ".git", app / ".git")
    assert branch(found) == "main"
    assert checkout_of(tmp_path) is None


def test_a_linked_worktree_knows_its_main_one(tmp_path: Path) -> None:
    app, linked = repository(tmp_path / "app"), tmp_path / "linked"
    git("worktree", "add", "--quiet", "-b", "agent/ada", str(linked), at=app)
    found = checkout_of(linked)
    assert found is not None
    assert (found.top, found.main, found.common_dir) == (linked, app, app / ".git")
    assert str(found.git_dir) == git("rev-parse", "--absolute-git-dir", at=linked)
    assert branch(found) == "agent/ada"
    git("switch", "--quiet", "--detach", at=linked)
    assert branch(found) == ""


def test_a_worktree_of_a_bare_repository_has_no_main_one(tmp_path: Path) -> None:
    app = repository(tmp_path / "app")
    git("clone", "--quiet", "--bare", str(app), str(tmp_path / "bare/.git"), at=tmp_path)
    git("worktree", "add", "--quiet", str(tmp_path / "one"), at=tmp_path / "bare/.git")
    found = checkout_of(tmp_path / "one")
    assert found is not None and found.main == found.top == tmp_path / "one"


def test_a_submodule_is_a_checkout_of_its_own_also_in_a_linked_worktree(tmp_path: Path) -> None:
    library, app = repository(tmp_path / "library", "lib.py"), repository(tmp_path / "app")
    git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(library), "lib", at=app)
    found = checkout_of(app / "lib/lib.py")
    assert found is not None and found.top == found.main == app / "lib"
    git("worktree", "add", "--quiet", str(tmp_path / "linked"), at=app / "lib")
    linked = checkout_of(tmp_path / "linked")
    assert linked is not None and linked.main == app / "lib"


def test_links_on_the_way_are_followed(tmp_path: Path) -> None:
    app = repository(tmp_path / "app")
    (tmp_path / "alias").symlink_to(app)
    found = checkout_of(tmp_path / "alias/src")
    assert found is not None and found.top == app


def test_a_git_file_that_leads_nowhere_is_no_checkout(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert checkout_of(tmp_path) is None
