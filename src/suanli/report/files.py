"""Writing a file whole or not at all: into a temporary one beside it, to disk, then in its place."""

from __future__ import annotations

import importlib
import os
import tempfile
from pathlib import Path
from typing import Any

from suanli.foundation.errors import InputError
from suanli.foundation.language import tr


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the whole new one.

    Raises InputError where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _fault(path, error) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        _open_to_readers(Path(name))
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise _fault(path, error) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _open_to_readers(path: Path) -> None:
    """Give a temporary file, made for its owner alone, the rights of any new file."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def _fault(path: Path, error: OSError) -> InputError:
    return InputError.single(
        place=str(path), found=error.strerror or str(error), allowed=tr("a place where files may be written")
    )


def needed(package: str) -> Any:
    """Load a package of the report extra. Raises InputError that says how to get it where it is not installed."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise InputError.single(
            place="report",
            found=tr("the package {name} is not installed", name=package),
            allowed="pip install 'suanli[report]'",
        ) from error
