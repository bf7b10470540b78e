"""From what people call a product to the product: ids, names, and the many spellings between."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping
from dataclasses import replace

from suanli.catalogue.figures import DATA
from suanli.catalogue.hosts import PREFIX, in_chassis, plain_host
from suanli.catalogue.load import Catalogue, catalogue
from suanli.catalogue.plain_yaml import read_plain
from suanli.domain.hardware import Accelerator, System
from suanli.foundation.errors import InputError
from suanli.foundation.figure import Figure
from suanli.foundation.language import tr

COUNTED = re.compile(r"(?P<count>\d+) ?[x×*] ?(?P<rest>\D.*)", re.IGNORECASE)
BOX_WORDS = frozenset({"box", "node", "server", "system", "machine"})
KIND_ORDER = ("node", "rack", "supernode", "cloud_instance", "pod")
CONFIDENCE_ORDER = ("datasheet", "press", "estimate")
PROFILES = (".yaml", ".yml")
MEASURED = "measured-"
"""How the ids of measured machines begin, so that they stand in nobody's place."""
HOST = re.compile(rf"{PREFIX}\d+-(?P<accelerator>.+)")


@functools.cache
def _aliases(kind: str) -> Mapping[str, str]:
    """Read one table of `data/aliases.yaml`; names are folded, the values ids."""
    said = read_plain(DATA / "aliases.yaml").data[kind]
    return {folded(str(name)): str(value) for name, value in said.items()}


def folded(text: str) -> str:
    """Fold a name to what counts in it: lower-case letters and digits.

    >>> folded("H100-80GB SXM")
    'h10080gbsxm'
    """
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower().replace("_", " ")))


def is_profile(text: str) -> bool:
    """Say whether a question names a file instead of a product."""
    return text.strip().lower().endswith(PROFILES)


def is_measured(text: str) -> bool:
    """Say whether a name is that of a measured machine, which is in no market: a profile's file, or an id from one."""
    return text.startswith(MEASURED) or is_profile(text)


def accelerator(text: str, known: Catalogue | None = None, place: str = "accelerator") -> Accelerator:
    """Find the accelerator that a name stands for. Raises InputError naming the nearest ones."""
    everything = known or catalogue()
    found = _accelerator_id(text, everything)
    if found is None:
        raise _unknown(text, place, tr("accelerator"), everything.accelerators)
    return everything.accelerators[found]


def _accelerator_id(text: str, known: Catalogue) -> str | None:
    names = {name: f"{item.id} {item.vendor} {item.name}" for name, item in known.accelerators.items()}
    exact = {folded(item.name): name for name, item in known.accelerators.items()}
    return _found(text, known.accelerators, exact, _aliases("accelerators"), names)


def _found(
    text: str, ids: Mapping[str, object], exact: Mapping[str, str], aliases: Mapping[str, str], names: Mapping[str, str]
) -> str | None:
    """Look a name up: as an id, as an alias, as a whole name, last by its words, where one product fits best."""
    plain = folded(text)
    if text in ids:
        return text
    by_fold = {folded(name): name for name in ids}
    for table in (by_fold, aliases, exact):
        if plain in table and table[plain] in ids:
            return table[plain]
    asked = _words(text)
    spare = {name: len(_words(said) - asked) for name, said in names.items() if asked and asked <= _words(said)}
    fitting = sorted((count, name) for name, count in spare.items())
    alone = len(fitting) == 1 or (len(fitting) > 1 and fitting[0][0] < fitting[1][0])
    return fitting[0][1] if alone else None


def system(text: str, known: Catalogue | None = None, place: str = "system") -> System:
    """Find the system that a name stands for; an accelerator's name stands for its usual box.

    Raises InputError naming the nearest ones, and where a box of another size was asked for.
    """
    everything = known or catalogue()
    names = {name: f"{item.id} {item.vendor} {item.name}" for name, item in everything.systems.items()}
    exact = {folded(item.name): name for name, item in everything.systems.items()}
    found = _found(text, everything.systems, exact, _aliases("systems"), names)
    if found is not None:
        return everything.systems[found]
    counted = COUNTED.fullmatch(text.strip())
    rest = " ".join(word for word in (counted["rest"] if counted else text).split() if word.lower() not in BOX_WORDS)
    host = HOST.fullmatch(text.strip())
    inside = _accelerator_id(host["accelerator"] if host else rest, everything)
    if inside is None:
        raise _unknown(text, place, tr("system"), everything.systems)
    usual = default_system(inside, everything)
    if counted and counted["count"].lstrip("0") != str(usual.accelerators):
        found_words = tr("{count} accelerators", count=counted["count"])
        allowed = f"{usual.id}: {usual.accelerators}"
        raise InputError.single(place=place, found=f"'{text}': {found_words}", allowed=allowed)
    return usual


def part_of(box: System, accelerators: int | None, place: str) -> System:
    """Return a system with so many of its accelerators in use, and its host's memory and power shared out to them.

    Raises InputError where it has fewer.
    """
    if accelerators is None or accelerators == box.accelerators:
        return box
    if accelerators > box.accelerators:
        allowed = tr("at most the {count} of {system}", count=box.accelerators, system=box.id)
        raise InputError.single(place=place, found=str(accelerators), allowed=allowed)
    share = accelerators / box.accelerators
    return replace(
        box,
        accelerators=accelerators,
        host_memory_bytes=_scaled(box.host_memory_bytes, share),
        power_watts=_scaled(box.power_watts, share),
    )


def _scaled(figure: Figure | None, share: float) -> Figure | None:
    if figure is None:
        return None
    return replace(figure, value=figure.value * share, low=figure.low * share, high=figure.high * share)


def product(text: str, known: Catalogue | None = None) -> Accelerator | System:
    """Find what a name stands for: a system by its id, an accelerator, or a system by what people call it.

    Raises InputError naming the nearest of both.
    """
    everything = known or catalogue()
    if text in everything.systems:
        return everything.systems[text]
    inside = _accelerator_id(text, everything)
    if inside is not None:
        return everything.accelerators[inside]
    try:
        return system(text, everything)
    except InputError as error:
        both: dict[str, Accelerator | System] = {**everything.accelerators, **everything.systems}
        raise _unknown(text, text, tr("product"), both) from error


def default_system(accelerator_id: str, known: Catalogue | None = None) -> System:
    """Return the box that an accelerator usually comes in; an assumed one where none is listed."""
    everything = known or catalogue()
    inside = accelerator(accelerator_id, everything)
    listed = [
        item
        for item in everything.systems.values()
        if item.accelerator.id == inside.id and item.system_kind in KIND_ORDER
    ]
    if listed:
        return min(listed, key=_preference)
    chassis = _aliases("chassis").get(folded(inside.id))
    return in_chassis(inside, everything.systems[chassis]) if chassis else plain_host(inside)


@functools.cache
def siblings_of(accelerator_id: str) -> frozenset[str]:
    """Return the accelerators that do the same work as another and are priced alike: bins of one chip, export cuts."""
    for members in read_plain(DATA / "aliases.yaml").data["siblings"].values():
        if accelerator_id in members:
            return frozenset(members) - {accelerator_id}
    return frozenset()


def _preference(item: System) -> tuple[int, int, str, str]:
    return (KIND_ORDER.index(item.system_kind), CONFIDENCE_ORDER.index(item.confidence)
            if item.confidence in CONFIDENCE_ORDER else 0, item.released, item.id)  # fmt: skip


def _unknown(text: str, place: str, what: str, ids: Mapping[str, Accelerator | System]) -> InputError:
    spelled = {folded(item.name): item.id for item in ids.values()} | {folded(name): name for name in ids}
    spelled |= {folded(name.partition("-")[2]): name for name in ids}
    near = difflib.get_close_matches(folded(text), list(spelled), n=2 + 2, cutoff=1 / 2)
    names = ", ".join(dict.fromkeys(f"'{spelled[name]}'" for name in near))
    hint = tr("Did you mean {names}?", names=names) if near else ""
    allowed = tr("one of `suanli catalogue list`")
    return InputError.single(place=place, found=tr("unknown {what} '{text}'", what=what, text=text), allowed=allowed,
                             hint=hint)  # fmt: skip
