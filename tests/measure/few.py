"""Rules small enough for a test: few shapes, each timed twice."""

import re

from suanli.measure import rules

SHIPPED = rules.RULES
SMALL = {
    r"quick: \{[^}]*\}": "quick: {total_seconds: 1000000, case_seconds: 0.05, case_most_seconds: 1, matmuls: 40, "
    "attentions: 30, passes: 12}",
    r"least_seconds: \S+": "least_seconds: 1e-9",
    r"least_count: \d+": "least_count: 2",
    r"most_count: \d+": "most_count: 2",
    r"warm_count: \d+": "warm_count: 1",
    r"disk_bytes: \d+": "disk_bytes: 8388608",
    r"host_bytes: \d+": "host_bytes: 8388608",
}


def small_rules_file(folder):
    """Write the rules with fewer shapes and readings."""
    text = SHIPPED.read_text("utf-8")
    for said, instead in SMALL.items():
        text, count = re.subn(said, instead, text, count=1)
        assert count == 1
    path = folder / "rules.yaml"
    path.write_text(text, "utf-8")
    return path
