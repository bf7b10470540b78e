"""Asks AIConfigurator about runs one by one, inside its own environment; run by serving_against_aiconfigurator.py.

    python aic_estimates.py < ASKED.json

ASKED is a list of arguments of its `cli_estimate`, each with an `id`; every line that is printed is one answer in JSON:
TTFT and TPOT in ms, output tokens a second of all accelerators, or why there is none.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys

from aiconfigurator.cli.api import cli_estimate


def answer(asked: dict[str, object]) -> dict[str, object]:
    """Ask for one run; refusals come back in words."""
    name = asked.pop("id")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = cli_estimate(**asked)
    except Exception as error:
        return {"id": name, "why": f"{type(error).__name__} {error}".splitlines()[0]}
    told = found.raw or {}
    if told.get("oom") or found.ttft is None:
        return {"id": name, "why": "KV capacity exceeded"}
    return {"id": name, "ttft_ms": found.ttft, "tpot_ms": found.tpot, "raw": {
        key: value for key, value in told.items() if isinstance(value, int | float | str)
    }}  # fmt: skip


def main() -> None:
    logging.disable(logging.WARNING)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for asked in json.load(sys.stdin):
        print(json.dumps(answer(asked)), flush=True)


if __name__ == "__main__":
    main()
