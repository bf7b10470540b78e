"""Where figures come from: one table of all sources, and the page that names and credits them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from suanli.catalogue.dates import is_date
from suanli.catalogue.figures import DATA
from suanli.catalogue.plain_yaml import read_plain
from suanli.catalogue.yaml_reader import YamlDocument
from suanli.domain.plan import Source
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

FOLDER = DATA / "sources"
NEEDED = ("title", "url", "date")
ALLOWED = (*NEEDED, "licence", "note")
USER = "user:"


@functools.cache
def sources() -> Mapping[str, Source]:
    """Read the table of all built-in sources. Raises InputError with every fault in it."""
    found, faults = read_sources(sorted(FOLDER.glob("*.yaml")))
    if faults:
        raise InputError(faults)
    return found


def source_of(key: str, known: Mapping[str, Source], as_of: str) -> Source:
    """Return a source by key; a user's own file is one too, told at the date that is asked about."""
    return known.get(key) or Source(key=key, title=key.removeprefix(USER), url="", date=as_of)


def read_sources(paths: list[Path]) -> tuple[dict[str, Source], list[Fault]]:
    """Merge files of sources into one table, with the faults found; a key given twice is one."""
    found: dict[str, Source] = {}
    homes: dict[str, str] = {}
    faults: list[Fault] = []
    for path in paths:
        try:
            document = read_plain(path)
        except InputError as error:
            faults += error.faults
            continue
        faults += document.faults
        for key, said in (document.data if isinstance(document.data, dict) else {}).items():
            place = document.place((key,))
            if key in found:
                allowed = tr("each key once over all files of sources")
                faults.append(Fault(place=place, found=tr("also in {file}", file=homes[key]), allowed=allowed))
                continue
            wrong = _faults_of(said, document, key)
            faults += wrong
            if not wrong:
                texts = {name: str(said.get(name) or "") for name in ALLOWED}
                found[key] = Source(key=key, title=texts["title"], url=texts["url"], date=texts["date"],
                                    licence=texts["licence"])  # fmt: skip
                homes[key] = document.place((key,))
    return found, faults


def _faults_of(said: object, document: YamlDocument, key: str) -> list[Fault]:
    if not isinstance(said, dict):
        allowed = tr("a mapping with {keys}", keys=", ".join(NEEDED))
        return [Fault(place=document.place((key,)), found=str(said), allowed=allowed)]
    faults = [
        Fault(place=document.place((key, name)), found=tr("unknown key '{key}'", key=name),
              allowed=", ".join(ALLOWED), hint=did_you_mean(name, ALLOWED))
        for name in said if name not in ALLOWED
    ]  # fmt: skip
    faults += [
        Fault(place=document.place((key,)), found=tr("no '{key}'", key=name), allowed=", ".join(NEEDED))
        for name in NEEDED
        if name not in said
    ]
    date = str(said.get("date") or "")
    if "date" in said and not is_date(date):
        allowed = tr("a date such as 2023, 2023-05 or 2023-05-16")
        faults.append(Fault(place=document.place((key, "date")), found=f"'{date}'", allowed=allowed))
    return faults


def sources_page() -> str:
    """Write the sources as a page in Markdown, with the credits that licences ask for."""
    known = sources()
    lines = [
        "# Sources",
        "",
        "This page is made by `suanli catalogue sources --markdown`; change the files in `data/sources/` instead.",
        "",
        "## Credits",
        "",
        "Part of the catalogue is taken from or derived from Epoch AI, *Data on machine learning hardware*,",
        "*Machine learning hardware prices* and *Notable AI models*, <https://epoch.ai>, licensed under",
        "[CC-BY 4.0](https://creativecommons.org/licenses/by/4.0/). Units were converted and rows were given",
        "identifiers. The sources in question are marked CC-BY 4.0 below.",
        "",
        "## All sources",
        "",
        "| key | title | date | licence |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *(_row(known[key]) for key in sorted(known))]) + "\n"


def _row(source: Source) -> str:
    title = source.title.replace("|", "\\|")
    told = f"[{title}](<{source.url}>)" if source.url.startswith("http") else title
    return f"| `{source.key}` | {told} | {source.date} | {source.licence} |"
