"""Imports go down only; packages of one floor never meet; heavy libraries have one home."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "suanli"
FLOORS = {
    "foundation": 1,
    "domain": 2,
    "equations": 2,
    "catalogue": 3,
    "parts": 3,
    "simulate": 3,
    "traffic": 4,
    "procure": 3,
    "report": 3,
    "estimate": 4,
    "planner": 5,
    "validation": 5,
    "measure": 5,
    "check": 6,
    "calibrate": 6,
    "api": 7,
    "cli": 8,
    "web": 8,
}
HOMES = {
    "numba": {"simulate"},
    "highspy": {"procure"},
    "xlsxwriter": {"report"},
    "jinja2": {"report"},
    "pint": {"foundation"},
    "ruamel": {"catalogue"},
    "scipy": {"calibrate", "measure"},
    "torch": {"check", "measure"},
    "typer": {"cli"},
}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__main__.py")


def imports(path: Path) -> list[tuple[str, int]]:
    """List (module, line) of every import of a file, lazy ones too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            found.append((node.module or "", node.lineno))
    return found


def package(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(path):
    here = package(path)
    if here == "__init__":
        return
    for module, line in imports(path):
        if not module.startswith("suanli."):
            continue
        there = module.split(".")[1]
        assert there == here or FLOORS[there] < FLOORS[here], f"{path}:{line}: {here} imports {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_libraries_have_one_home(path):
    for module, line in imports(path):
        homes = HOMES.get(module.split(".")[0])
        assert homes is None or package(path) in homes, f"{path}:{line}: {module} belongs in {homes}"


def test_faces_import_the_api_only():
    for path in SOURCE.glob("cli/*.py"):
        for module, line in imports(path):
            if module.startswith("suanli."):
                assert module.split(".")[1] in {"cli", "api", "foundation"}, f"{path}:{line}: a face imports {module}"
