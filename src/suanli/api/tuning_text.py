"""How much text a tuning job has: told in tokens, or counted in a file of examples."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.domain.tuning import TuningText, TuningWork
from suanli.equations.tuning import packed_sequences, padding_share, text_tokens
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

MOST_TOKENS = 1e18
MOST_EPOCHS = 1e6
MOST_FAULTS = 2**3
"""Lines of a file that are named before the rest is left unsaid."""
CHINESE = ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF), (0x3000, 0x303F), (0xFF00, 0xFFEF))
"""Ranges of Chinese characters and of the punctuation that goes with them."""
NAMES = ("role", "from", "id", "type", "name", "source", "tool_call_id")
"""Fields of an example that say who speaks or where it comes from, and are no text."""
ESTIMATED = "characters"
Count = Callable[[str], tuple[float, float, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextQuestion:
    """How much text there is, as people write it: `tokens` of a data set, or a `file` of examples, one JSON a line.

    A `tokenizer.json` counts a file exactly, else tokens are told from characters. `epochs` is how often it is gone
    through. Examples are packed one behind the other unless `padded` gives each a sequence of its own; `mean_tokens`
    is of an example where only tokens are told.
    """

    tokens: float | None = None
    file: str | None = None
    tokenizer: str | None = None
    epochs: float = 1.0
    padded: bool = False
    mean_tokens: float | None = None

    @property
    def asked(self) -> bool:
        """Whether any text is told of."""
        return self.tokens is not None or self.file is not None


def text_faults(question: TextQuestion) -> list[Fault]:
    """Name everything wrong in what is said of a text that shows before its file is read."""
    faults = []
    for place, value, most in (
        ("--data-tokens", question.tokens, MOST_TOKENS),
        ("--epochs", question.epochs, MOST_EPOCHS),
        ("--example-tokens", question.mean_tokens, MOST_TOKENS),
    ):
        if value is not None and not (math.isfinite(value) and 0 < value <= most):
            allowed = tr("a number above 0, {most:g} at most", most=most)
            faults.append(Fault(place=place, found=f"{value:g}", allowed=allowed))
    if question.tokens is not None and question.file is not None:
        faults.append(Fault(place="--data-tokens, --data", found=tr("both"), allowed=tr("one of them")))
    if question.padded and question.tokens is not None and question.mean_tokens is None:
        needed = tr("--example-tokens, the mean length of an example")
        faults.append(Fault(place="--padded", found=tr("tokens alone"), allowed=needed))
    for place, name in (("--data", question.file), ("--tokenizer", question.tokenizer)):
        if name is not None and not Path(name).is_file():
            faults.append(Fault(place=place, found=tr("no file '{name}'", name=name), allowed=tr("a file that exists")))
    if question.tokenizer is not None and question.file is None:
        faults.append(Fault(place="--tokenizer", found=tr("no --data"), allowed=tr("a file of examples to count")))
    return faults


def text_of(question: TextQuestion) -> TuningText:
    """Count a text. Raises InputError where its file cannot be read, naming lines."""
    if question.file is None:
        tokens, mean = question.tokens or 0.0, question.mean_tokens
        return TuningText(
            tokens=tokens, low_tokens=tokens, high_tokens=tokens, mean_tokens=mean, longest_tokens=mean,
            examples=None if mean is None else max(round(tokens / mean), 1), counted_by="told",
        )  # fmt: skip
    return _counted(lengths_of(question), ESTIMATED if question.tokenizer is None else question.tokenizer)


def _counted(lengths: list[tuple[float, float, float]], by: str) -> TuningText:
    sums = [math.fsum(one[at] for one in lengths) for at in (0, 1, 2)]
    return TuningText(
        tokens=sums[0], low_tokens=sums[1], high_tokens=sums[2], examples=len(lengths),
        mean_tokens=sums[0] / len(lengths), longest_tokens=max(one[0] for one in lengths), counted_by=by,
    )  # fmt: skip


def lengths_of(question: TextQuestion) -> list[tuple[float, float, float]]:
    """Tokens of each example of a file: the likely number, and the least and the most that they may be.

    Raises InputError naming the lines that hold no example.
    """
    assert question.file is not None
    count = by_characters() if question.tokenizer is None else by_tokenizer(question.tokenizer)
    found, faults = [], []
    with Path(question.file).open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            text = _text_of_line(line)
            if text is None:
                allowed = tr("one JSON object with text, such as messages or instruction and output")
                faults.append(Fault(place=f"{question.file}:{number}", found=line.strip()[:40], allowed=allowed))
                if len(faults) == MOST_FAULTS:
                    break
                continue
            found.append(count(text))
    if faults:
        raise InputError(faults)
    if not found:
        allowed = tr("examples, one JSON object a line")
        raise InputError.single(place=question.file, found=tr("no example"), allowed=allowed)
    return found


def _text_of_line(line: str) -> str | None:
    """Join all text of an example; None where the line holds none."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    parts = list(_texts(said)) if isinstance(said, dict) else []
    return "\n".join(parts) if parts else None


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, list):
        for one in said:
            yield from _texts(one)
    elif isinstance(said, dict):
        for name, one in said.items():
            if name not in NAMES:
                yield from _texts(one)


def is_chinese(letter: str) -> bool:
    """Say whether a character is a Chinese one, or punctuation of Chinese text."""
    return any(low <= ord(letter) <= high for low, high in CHINESE)


def by_characters() -> Count:
    """Return what tells tokens from characters: the likely number, the least, the most."""
    from suanli.catalogue.assumptions import assumption

    chinese, other = assumption("text.chinese"), assumption("text.other")
    rates = ((chinese.value, other.value), (chinese.low, other.low), (chinese.high, other.high))

    def count(text: str) -> tuple[float, float, float]:
        own = float(sum(map(is_chinese, text)))
        first, low, high = (float(text_tokens(own, len(text) - own, *rate)) for rate in rates)
        return first, low, high

    return count


def by_tokenizer(file: str) -> Count:
    """Return what counts tokens with a tokenizer's own file. Raises InputError where it cannot be used."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        needed = tr("the package 'tokenizers' (pip install 'suanli[tokenizer]')")
        raise InputError.single(place="--tokenizer", found=tr("no such package"), allowed=needed) from None
    try:
        own = Tokenizer.from_file(file)
    except Exception as error:
        allowed = tr("a tokenizer.json of Hugging Face")
        raise InputError.single(place=file, found=str(error)[:80], allowed=allowed) from None

    def count(text: str) -> tuple[float, float, float]:
        tokens = float(len(own.encode(text).ids))
        return tokens, tokens, tokens

    return count


def work_of(question: TextQuestion, text: TuningText, sequence_tokens: int, global_batch: int) -> TuningWork:
    """Say what a job computes of a text: packed, or each example in a sequence of its own, longer ones cut."""
    whole = text.tokens * question.epochs
    if not question.padded or text.mean_tokens is None or text.examples is None:
        sequences, trained, waste = float(packed_sequences(whole, float(sequence_tokens))), whole, 0.0
    else:
        mean = min(text.mean_tokens, float(sequence_tokens))
        sequences = text.examples * question.epochs
        trained, waste = sequences * mean, float(padding_share(text.mean_tokens, float(sequence_tokens)))
    steps = float(math.ceil(sequences / global_batch))
    return TuningWork(
        text=text,
        epochs=question.epochs,
        packed=not question.padded,
        sequences=sequences,
        steps=steps,
        trained_tokens=trained,
        computed_tokens=sequences * sequence_tokens,
        wasted_share=waste,
        cut_share=1 - trained / whole,
    )
