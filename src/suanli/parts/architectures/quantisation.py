"""What a checkpoint's own quantisation says, in the forms that config.json and hf_quant_config.json use."""

from __future__ import annotations

from suanli.domain.model import Quantisation
from suanli.parts.architectures.fields import Fields


def read_quantisation(said: object, fields: Fields, expert_format: str | None) -> Quantisation | None:
    """Read a quantisation section; None where there is none."""
    return None
