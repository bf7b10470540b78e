"""What every command shares: where answers and errors go, in which form, and with which exit code."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any

import typer

from suanli.foundation.errors import InfeasibleError, InputError, SuanliError
from suanli.foundation.language import LANGUAGES, set_language, system_language, tr

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
CalibrationOption = Annotated[
    str | None, typer.Option("--calibration", help="Your own figures, as calibrate writes them.", show_default=False)
]
LangOption = Annotated[str, typer.Option("--lang", help="en or zh; default from the locale.", show_default=False)]


def speak(lang: str) -> None:
    """Set the language that a command was asked for. Raises InputError on any other than en and zh."""
    chosen = lang or system_language()
    if chosen not in LANGUAGES:
        raise InputError.single(place="--lang", found=f"'{lang}'", allowed=", ".join(LANGUAGES))
    set_language(chosen)


def plain(value: Any) -> Any:
    """Turn nouns into what JSON knows: mappings, lists, numbers, text. Numbers that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(value: Any) -> None:
    """Print one JSON document on standard output, in escapes where it takes no letters but English ones."""
    escaped = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=escaped, indent=2, allow_nan=False) + "\n")


def complain(error: SuanliError) -> None:
    """Tell an error on standard error, every fault on a line of its own."""
    if isinstance(error, InputError):
        print(tr("The input has {count} fault(s):", count=len(error.faults)), file=sys.stderr)
        for fault in error.faults:
            print(f"  {fault}", file=sys.stderr)
    elif isinstance(error, InfeasibleError):
        print(tr("No feasible answer: {limit}", limit=error.limit), file=sys.stderr)
        print(f"  {error.relief}", file=sys.stderr)
    else:
        print(str(error), file=sys.stderr)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that Suanli's errors end in a message and their exit code, never in a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            speak(str(kwargs.get("lang", "")))
            command(*args, **kwargs)
        except SuanliError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error

    return run
