"""Kernel files to nouns: number formats, calibrated devices, defaults of classes, the tier between nodes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suanli.domain.hardware import Precision
from suanli.domain.kernel import (
    AttentionKernel,
    CollectiveKernel,
    ExpertSkew,
    KernelCalibration,
    KernelTable,
    MatmulKernel,
    NumberFormat,
    PassKernel,
)
from suanli.foundation.errors import InputError
from suanli.foundation.units import to_si

KERNEL_FOLDER = Path(__file__).parent.parent / "data" / "kernels"
NOT_DEVICES = ("formats.yaml", "classes.yaml", "network.yaml")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML file as plain mappings. Raises InputError where it is not one."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open(encoding="utf-8") as opened:
            said = YAML(typ="safe", pure=True).load(opened)
    except (OSError, YAMLError) as error:
        raise InputError.single(place=str(path), found=str(error), allowed="a readable YAML file") from error
    if not isinstance(said, dict):
        raise InputError.single(place=str(path), found=type(said).__name__, allowed="a mapping")
    return said


def _number(said: Any, unit: str, place: str) -> float:
    """Read a plain number, or a number with its unit, as SI."""
    if isinstance(said, (int, float)) and not isinstance(said, bool):
        if unit:
            raise InputError.single(
                place=place, found=f"{said} without a unit", allowed=f"a number with a unit of {unit}"
            )
        return float(said)
    words = str(said).split(maxsplit=1)
    try:
        value = float(words[0])
    except (ValueError, IndexError):
        raise InputError.single(place=place, found=repr(said), allowed="a number") from None
    return to_si(value, words[1] if len(words) > 1 else "", unit, place)


def _entry(said: Mapping[str, Any], key: str, place: str) -> Any:
    if not isinstance(said, Mapping) or key not in said:
        raise InputError.single(place=place, found=f"no '{key}'", allowed=f"an entry '{key}'")
    return said[key]


def _figures(said: Any, names: tuple[str, ...], place: str) -> dict[str, float]:
    """Read the named figures of one family; a name that ends in seconds or bytes carries its unit."""
    units = {"seconds": "s", "bytes": "B"}
    unknown = sorted(set(said) - set(names)) if isinstance(said, Mapping) else []
    if unknown:
        raise InputError.single(place=place, found=", ".join(unknown), allowed=", ".join(names))
    return {
        name: _number(_entry(said, name, place), units.get(name.rsplit("_", 1)[-1], ""), f"{place}.{name}")
        for name in names
    }


def _slots(noun: type) -> tuple[str, ...]:
    return tuple(noun.__dataclass_fields__)  # type: ignore[attr-defined]


def _collective(said: Any, place: str) -> CollectiveKernel:
    figures = _figures(
        {key: value for key, value in said.items() if key != "link_shares"},
        ("base_seconds", "hop_seconds", "half_bytes", "ramp_power"),
        place,
    )
    shares = _entry(said, "link_shares", place)
    return CollectiveKernel(
        share_ranks=tuple(float(ranks) for ranks in shares),
        link_shares=tuple(float(share) for share in shares.values()),
        **figures,
    )


def _calibration(said: Mapping[str, Any], place: str, fallback: KernelCalibration | None) -> KernelCalibration:
    """Read one device or class; a family that it leaves out is its class's."""

    def families(key: str, noun: Any) -> dict[str, Any]:
        own = {
            name: noun(**_figures(figures, _slots(noun), f"{place}.{key}.{name}"))
            for name, figures in said.get(key, {}).items()
        }
        return {**(getattr(fallback, key) if fallback else {}), **own}

    def single(key: str, noun: Any) -> Any:
        if key in said:
            return noun(**_figures(said[key], _slots(noun), f"{place}.{key}"))
        return getattr(fallback, key) if fallback else _entry(said, key, place)

    collectives = {op: _collective(one, f"{place}.collectives.{op}") for op, one in said.get("collectives", {}).items()}
    one_shot = _collective(said["one_shot"], f"{place}.one_shot") if "one_shot" in said else None
    return KernelCalibration(
        id=_entry(said, "id", place),
        name=_entry(said, "name", place),
        accelerators=tuple(said.get("accelerators", ())),
        device_classes=tuple(said.get("device_classes", ())),
        calibrated=bool(said.get("calibrated", False)),
        default_units=_number(_entry(said, "default_units", place), "", f"{place}.default_units"),
        compute_units={key: float(units) for key, units in said.get("compute_units", {}).items()},
        matmul=families("matmul", MatmulKernel),
        prefill=families("prefill", AttentionKernel),
        decode=families("decode", AttentionKernel),
        backward=families("backward", AttentionKernel),
        element_pass=single("element_pass", PassKernel),
        expert_skew=single("expert_skew", ExpertSkew),
        collectives={**(fallback.collectives if fallback else {}), **collectives},
        one_shot=one_shot if one_shot or not fallback else fallback.one_shot,
        spread_log=_number(_entry(said, "spread_log", place), "", f"{place}.spread_log"),
        source=_entry(said, "source", place),
        date=_entry(said, "date", place),
        kind=_entry(said, "kind", place),
        notes=said.get("notes", ""),
    )


def _format(name: str, said: Mapping[str, Any], place: str) -> NumberFormat:
    return NumberFormat(
        name=name,
        weight_bytes=_number(_entry(said, "weight", place), "B", place),
        activation_bytes=_number(_entry(said, "activation", place), "B", place),
        output_bytes=_number(_entry(said, "output", place), "B", place),
        precisions=tuple(Precision(one) for one in _entry(said, "precisions", place)),
        families=tuple(_entry(said, "families", place)),
    )


def _classes(folder: Path) -> dict[str, KernelCalibration]:
    """Read the class defaults in the order of the file; a class may extend one that stands before it."""
    made: dict[str, KernelCalibration] = {}
    path = folder / "classes.yaml"
    said = read_yaml(path)
    for one in _entry(said, "classes", str(path)):
        whole = {"source": said.get("source"), "date": said.get("date"), "kind": said.get("kind"), **one}
        place = f"{path.name}:{one.get('id')}"
        made[whole["id"]] = _calibration(whole, place, made.get(one.get("extends", "")))
    return made


@functools.cache
def load_kernels(folder: Path = KERNEL_FOLDER) -> KernelTable:
    """Read every kernel file of a folder. Raises InputError naming file and entry at fault."""
    formats = _entry(read_yaml(folder / "formats.yaml"), "formats", "formats.yaml")
    classes = _classes(folder)
    network = read_yaml(folder / "network.yaml")
    defaults = _entry(network, "defaults", "network.yaml")
    devices = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in NOT_DEVICES:
            said = read_yaml(path)
            devices.append(_calibration(said, path.name, classes.get(said.get("extends", ""))))
    return KernelTable(
        formats={name: _format(name, one, f"formats.yaml:{name}") for name, one in formats.items()},
        calibrations=tuple(devices),
        classes=tuple(classes.values()),
        scale_out={
            op: _collective(one, f"network.yaml:{op}")
            for op, one in _entry(network, "scale_out", "network.yaml").items()
        },
        wiring={name: float(share) for name, share in _entry(network, "wiring", "network.yaml").items()},
        score_passes={name: float(passes) for name, passes in _entry(network, "score_passes", "network.yaml").items()},
        host_bytes_per_s=_number(_entry(defaults, "host", "network.yaml"), "B/s", "network.yaml:defaults.host"),
        network_bytes_per_s=_number(
            _entry(defaults, "network", "network.yaml"), "B/s", "network.yaml:defaults.network"
        ),
    )
