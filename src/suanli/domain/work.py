"""Work of one kind that a device does over and over: the columns that a time model reads."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.foundation.equation import Real


@dataclass(frozen=True, kw_only=True, slots=True)
class MatmulWork:
    """`count` products of [rows x inner] by [inner x columns], `groups` of them in one launch (experts)."""

    rows: Real
    inner: Real
    columns: Real
    count: Real = 1.0
    groups: Real = 1.0
    number_format: str = "bf16"
