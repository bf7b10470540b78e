"""A row of a table of special-purpose chips, read: which chip, model and format, what was measured, in SI."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.catalogue.find import accelerator as find_accelerator
from suanli.catalogue.yaml_reader import read_yaml
from suanli.domain.hardware import Accelerator
from suanli.domain.model import Model
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr
from suanli.foundation.units import to_si
from suanli.parts.architectures.read import named_model, read_model
from suanli.validation.rows import MOST_COUNT, plain_number

FILE = Path(__file__).parent.parent / "data" / "calibration" / "specialised.yaml"
COLUMNS = frozenset({"platform", "device", "n_devices", "precision", "metric", "value", "evidence_class"})
"""The columns by which the table is known."""
QUANTITIES: Mapping[str, tuple[str, str]] = {
    "published throughput (in+out tokens)/time": ("total_tokens_per_s", "token/s"),
    "tpot p50": ("tpot_seconds", "s"),
    "ttft p50": ("ttft_seconds", "s"),
    "latency per generated token": ("tpot_seconds", "s"),
    "decode": ("decode_tokens_per_s", "token/s"),
    "decode per user": ("decode_tokens_per_s", "token/s"),
    "prefill mfu": ("prefill_mfu", "1"),
}
"""What a metric's words mean, and its unit in SI."""
UNITS: Mapping[str, str] = {"tokens/s": "token/s", "-": "1"}
FORMATS: Mapping[str, str] = {
    "bf16": "bf16", "fp16": "fp16", "int8": "int8", "fp8": "fp8", "int8/fp16 mix": "int8",
    "int8 weights": "int8_weight", "bf16 + draft 1b": "bf16",
}  # fmt: skip
"""What a precision's words mean as a weight format."""
DRAFT = "draft"
PROCESS = re.compile(r"(\d+(?:\.\d+)?)\s*nm")
OPEN = ("", "nan", "none")
NANO = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialisedRow:
    """One figure of one chip, in SI. `devices` is None where the row leaves the number open."""

    id: str
    source: str
    evidence: str
    accelerator: Accelerator
    devices: int | None
    model: Model
    weight_format: str
    batch: float
    inputs: float
    outputs: float
    drafts: float
    quantity: str
    measured: float
    assumed: tuple[str, ...]


@functools.cache
def _reading() -> Mapping[str, Any]:
    said: Mapping[str, Any] = read_yaml(FILE).data
    return said


def _text(cells: Mapping[str, str], key: str) -> str:
    said = (cells.get(key) or "").strip()
    return "" if said.lower() in OPEN else said


def _number(cells: Mapping[str, str], key: str) -> float:
    """Return a cell's number, NaN where it is open. Raises InputError where it is none or below 0."""
    said = _text(cells, key)
    value = plain_number(said) if said else math.nan
    if said and not (math.isfinite(value) and 0 <= value <= MOST_COUNT):
        raise InputError.single(place=key, found=f"'{said}'", allowed=tr("a finite number of at least 0, or nothing"))
    return value


def quantity_of(cells: Mapping[str, str]) -> tuple[str, float]:
    """Return the quantity of a row and its measured value in SI. Raises InputError where the metric is not read."""
    metric = _text(cells, "metric")
    if metric.lower().startswith("speedup"):
        raise InputError.single(
            place="metric", found=f"'{metric}'",
            allowed=tr("a figure of the chip itself; a ratio to a run whose software is not told says nothing of it"),
        )  # fmt: skip
    if metric.lower() not in QUANTITIES:
        raise InputError.single(place="metric", found=f"'{metric}'", allowed=", ".join(QUANTITIES))
    quantity, into = QUANTITIES[metric.lower()]
    printed = _text(cells, "unit")
    return quantity, to_si(_number(cells, "value"), UNITS.get(printed, printed), into, "unit")


def _chip(cells: Mapping[str, str]) -> Accelerator:
    """Find the accelerator that a device cell names: whole, without its brackets, inside them, behind a comma."""
    device = _text(cells, "device")
    if "+" in device:
        raise InputError.single(place="device", found=f"'{device}'", allowed=tr("one kind of accelerator a row"))
    inside = re.findall(r"\(([^)]*)\)", device)
    names = [device, re.sub(r"\s*\([^)]*\)", "", device), *inside, device.rsplit(",", 1)[-1].strip()]
    for name in names:
        try:
            return _same_process(find_accelerator(name), cells)
        except InputError:
            continue
    raise InputError.single(
        place="device", found=f"'{device}'", allowed=tr("an accelerator of the catalogue, of the process it is made in")
    )


def _same_process(found: Accelerator, cells: Mapping[str, str]) -> Accelerator:
    """Refuse an accelerator that only shares a name: its process is another by far."""
    told, known = PROCESS.search(_text(cells, "tech")), found.other_figures.get("process")
    if told and known:
        factor = float(told.group(1)) * NANO / known.value
        most = float(_reading()["process_factor"])
        if not 1 / most < factor < most:
            raise InputError.single(place="tech", found=told.group(0), allowed=f"{known.value / NANO:.3g} nm")
    return found


def _model(cells: Mapping[str, str], assumed: list[str]) -> tuple[Model, str]:
    """Return a row's model and weight format, completed by what its paper ran. Raises InputError where open."""
    said, device, reading = _text(cells, "model"), _text(cells, "device"), _reading()
    if said.startswith(reading["class_of_model"]):
        for design, ran in reading["designs"].items():
            if device.startswith(design):
                assumed.append(
                    tr("{model} in {format}, as {source} says", model=ran["model"], format=ran["weight_format"],
                       source=ran["source"])
                )  # fmt: skip
                return named_model(ran["model"]), ran["weight_format"]
        raise InputError.single(
            place="model", found=f"'{said}'", allowed=tr("the model and the weight format that ran")
        )
    own = reading["models"].get(said)
    return read_model(own["config"], said) if own else named_model(said), _format(cells, assumed)


def _format(cells: Mapping[str, str], assumed: list[str]) -> str:
    said = _text(cells, "precision")
    if not said:
        assumed.append(tr("weights in {format}", format="int8"))
        return "int8"
    if said.lower() not in FORMATS:
        raise InputError.single(place="precision", found=f"'{said}'", allowed=", ".join(FORMATS))
    return FORMATS[said.lower()]


def _length(cells: Mapping[str, str], key: str, default: float, assumed: list[str]) -> float:
    value = _number(cells, key)
    if math.isnan(value):
        assumed.append(tr("{name} of {tokens} tokens", name=key, tokens=int(default)))
        return default
    return value


def read_specialised_row(cells: Mapping[str, str]) -> SpecialisedRow:
    """Read one row. Raises InputError where it does not say what ran, or on what the catalogue knows."""
    quantity, measured = quantity_of(cells)
    if not (math.isfinite(measured) and measured > 0):
        raise InputError.single(place="value", found=_text(cells, "value"), allowed=tr("a number above 0"))
    assumed, defaults = list[str](), _reading()["defaults"]
    chip = _chip(cells)
    model, weight_format = _model(cells, assumed)
    devices, batch = _number(cells, "n_devices"), _number(cells, "batch")
    drafts = float(defaults["acceptance_drafts"]) if DRAFT in _text(cells, "precision") else 0.0
    return SpecialisedRow(
        id=_text(cells, "id"),
        source=_text(cells, "source"),
        evidence=_text(cells, "evidence_class"),
        accelerator=chip,
        devices=None if math.isnan(devices) else max(int(devices), 1),
        model=model,
        weight_format=weight_format,
        batch=1.0 if math.isnan(batch) else max(batch, 1.0),
        inputs=_length(cells, "in_len", float(defaults["input_tokens"]), assumed),
        outputs=_length(cells, "out_len", float(defaults["output_tokens"]), assumed),
        drafts=drafts,
        quantity=quantity,
        measured=measured,
        assumed=tuple(assumed),
    )
