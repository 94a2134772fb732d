"""The layers of the code, and what must be kept in step by hand otherwise."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from kartra_admin.settings import BASE_DIR
from leads.providers.kartra import commands

pytestmark = pytest.mark.once

OURS = ("kartra_admin", "accounts", "leads")

# Parts of Django that a layer does without; import-linter knows other people's packages only as a whole.
WITHOUT = {
    "models": ("django.http", "django.shortcuts", "django.template", "django.contrib.messages", "django.forms"),
    "selectors": ("django.http", "django.shortcuts", "django.template", "django.contrib.messages", "django.forms"),
    "services": ("django.http", "django.shortcuts", "django.template", "django.contrib.messages", "django.forms"),
    "lib": ("django.conf", "django.contrib", "django.http", "django.shortcuts"),
}


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((BASE_DIR / folder).rglob("*.py")):
            yield path.relative_to(BASE_DIR), ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_layers_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(BASE_DIR / "pyproject.toml"), no_cache=True)
    printed = capsys.readouterr().out
    assert code == 0, printed[printed.index("Contracts") :]


def test_the_readme_tells_the_layer_of_each_module_outside_the_folders() -> None:
    """Each once, and no other."""
    lines = (BASE_DIR / "README.md").read_text().partition("| layer |")[2].partition("\n\n")[0].splitlines()[2:]
    columns = zip(*(line.split("|")[2:4] for line in lines), strict=True)
    told = [sorted(re.findall(r"`(\w+)`", " ".join(cells))) for cells in columns]
    there = [sorted(path.stem for path in (BASE_DIR / app).glob("[a-z]*.py")) for app in ("accounts", "leads")]
    assert told == there


@pytest.mark.parametrize("layer", WITHOUT)
def test_layers_below_the_views_know_no_request_and_no_template(layer: str) -> None:
    breaches = [
        f"{path} imports {name}"
        for path, tree in sources(*OURS)
        if layer in path.parts
        for name in imports(tree)
        if any(name == root or name.startswith(f"{root}.") for root in WITHOUT[layer])
    ]
    assert not breaches


def test_selectors_write_nothing() -> None:
    """No row, and nothing sealed: sealing makes the key of a lead that has none."""
    writes = {"save", "create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "delete"}
    writes |= {"seal", "sealing", "of_lead", "of_operation", "of_many", "learn", "destroy"}
    breaches = [
        f"{path}:{node.lineno}"
        for path, tree in sources(*OURS)
        if "selectors" in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writes
    ]
    assert not breaches


def test_kartras_command_names_stay_in_its_folder() -> None:
    names = set(commands.ALL)
    assert "assign_tag" in names
    breaches = [
        f"{path}:{node.lineno} says {node.value}"
        for path, tree in sources(*OURS)
        if not path.is_relative_to("leads/providers/kartra")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert not breaches


def test_who_is_refused_stands_in_the_log() -> None:
    """`access.require` and `access.deny` write it down; inside a transaction `permissions.require` stands alone."""
    breaches = [
        f"{path}:{node.lineno}"
        for path, tree in sources(*OURS)
        if path not in (Path("accounts/permissions.py"), Path("accounts/services/access.py"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and node.exc and ast.unparse(node.exc).startswith("Denied")
    ]
    assert not breaches


# The environment


def variables_read() -> set[str]:
    """The names that settings.py reads: the first argument of every ``env...(...)`` and ``_required(...)``."""
    tree = ast.parse((BASE_DIR / "kartra_admin" / "settings.py").read_text())
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[0] in ("env", "_required")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_variable_is_explained_in_the_example_and_no_other() -> None:
    lines = (BASE_DIR / ".env.example").read_text().splitlines()
    explained = {}
    for before, line in pairwise(lines):
        if found := re.fullmatch(r"#?([A-Z_]+)=.*", line):
            explained[found[1]] = before
    assert set(explained) == variables_read()
    assert [name for name, before in explained.items() if not re.fullmatch(r"# .{20,}", before)] == []


def test_no_variable_is_read_outside_the_settings() -> None:
    breaches = [
        f"{path}:{node.lineno}"
        for path, tree in sources(*OURS)
        if path != Path("kartra_admin/settings.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
        if path.name != "wsgi.py"
    ]
    assert not breaches


def test_every_requirement_has_its_reason_beside_it() -> None:
    lines = (BASE_DIR / "requirements.in").read_text().splitlines()
    assert [line for line in lines if line and not re.search(r" # \w", line)] == []
