"""What is said where a package of an optional extra is not installed."""

from __future__ import annotations

from suanli.foundation.errors import InputError
from suanli.foundation.language import tr


def not_installed(place: str, package: str, extra: str) -> InputError:
    """Make the error that names a missing package and the extra that brings it."""
    return InputError.single(
        place=place,
        found=tr("the package {name} is not installed", name=package),
        allowed=f"pip install 'suanli[{extra}]'",
    )
