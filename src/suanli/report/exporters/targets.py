"""The register of targets that a timeline can be written for; being imported, a target's module puts itself in."""

from __future__ import annotations

from collections.abc import Callable

from suanli.domain.timeline import Timeline
from suanli.foundation.registry import Registry

TIMELINE_TARGETS: Registry[Callable[[Timeline], bytes]] = Registry("target")
