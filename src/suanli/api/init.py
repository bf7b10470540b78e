"""Writes a commented scenario to start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suanli.foundation.errors import InputError
from suanli.foundation.language import LANGUAGES, tr

TEMPLATE_FILE = Path(__file__).parent.parent / "data" / "scenario.template.yaml"
SCHEMA_ADDRESS = "scenario.schema.json"
DEFAULT_NAME = "scenario.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Which scenario was written, the schema beside it that editors read, and the language of its comments."""

    path: str
    schema_path: str
    language: str


def init(path: Path, comments: str) -> Written:
    """Write a commented scenario, with comments in English (en) or Chinese (zh), and its schema beside it.

    Raises InputError where the scenario exists already, or cannot be written.
    """
    if comments not in LANGUAGES:
        raise InputError.single(place="--lang", found=f"'{comments}'", allowed=", ".join(LANGUAGES))
    target = path / DEFAULT_NAME if path.is_dir() else path
    schema_path = target.parent / SCHEMA_ADDRESS
    try:
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template(comments))
        schema_path.write_text(schema(), encoding="utf-8", newline="\n")
    except FileExistsError as error:
        hint = tr("Name another file: suanli init OTHER.yaml")
        raise InputError.single(
            place=str(target), found=tr("a file of that name"), allowed=tr("a name that is free"), hint=hint
        ) from error
    except OSError as error:
        raise InputError.single(
            place=str(target), found=error.strerror or type(error).__name__, allowed=tr("a path that can be written")
        ) from error
    return Written(path=str(target), schema_path=str(schema_path), language=comments)


def template(comments: str) -> str:
    """Return the scenario to start from, with its comments in one language."""
    others = tuple(f"#{code} " for code in LANGUAGES if code != comments)
    lines = TEMPLATE_FILE.read_text(encoding="utf-8").replace("{schema}", SCHEMA_ADDRESS).splitlines()
    kept = (line for line in lines if not line.lstrip().startswith(others))
    return "".join(line.replace(f"#{comments} ", "# ", 1) + "\n" for line in kept)


def schema() -> str:
    """Return the JSON Schema of scenario files, as text."""
    from suanli.catalogue.scenario_reference import schema_text

    return schema_text()
