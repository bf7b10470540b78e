"""What benchmarks beside other tools share: a virtual environment for each, and one process timed from outside."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB_IN_KIB = 2**10


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One process: seconds of wall clock and of all its cores, its output, its return code."""

    wall_seconds: float
    cpu_seconds: float
    output: str
    errors: str
    code: int


def interpreter_of(given: Path | None, folder: Path, packages: Sequence[str]) -> Path:
    """Return the interpreter that was given, or that of a virtual environment made here with the packages."""
    if given is not None:
        return given
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder} with {', '.join(packages)}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def run(command: Sequence[str | Path], folder: Path | None = None, more: Mapping[str, str] | None = None) -> Ran:
    """Run a process to its end, without this planner on its path."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(more or {})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    told = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=folder, env=clean
    )
    spent = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(wall_seconds=spent, cpu_seconds=used, output=told.stdout, errors=told.stderr, code=told.returncode)


def must(ran: Ran, what: str) -> Ran:
    """Return what ran, or stop with the last lines of its errors."""
    if ran.code:
        tail = "\n".join((ran.errors or ran.output).strip().splitlines()[-15:])
        raise SystemExit(f"{what} ended with {ran.code}:\n{tail}")
    return ran


def version_of(python: Path, package: str) -> str:
    """Return the version of a package in an environment."""
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    return must(run([python, "-c", asked]), package).output.strip()
