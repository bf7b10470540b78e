"""How long a user waits: CPU seconds of `suanli --help`, wall seconds of the main job from a cold start.

    python benchmarks/cold_start.py [SCENARIO.yaml]

Each command is a fresh process. The limits are those that the project sets itself; run it on a machine that does
nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELP_CPU_SECONDS = 0.3
PLAN_WALL_SECONDS = 10.0
PLAN_GAP = 0.005
RUNS = 5


def cpu_and_wall(command: list[str], folder: str) -> tuple[float, float, str]:
    """Run a command; return its CPU seconds (children included), wall seconds and standard output."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, wall, done.stdout


def main() -> None:
    """Print both figures against their limits."""
    root = Path(__file__).resolve().parents[1]
    scenario = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "examples" / "domain-llm-shanghai-2023.yaml"
    with tempfile.TemporaryDirectory() as folder:
        suanli = [sys.executable, "-m", "suanli"]
        helps = [cpu_and_wall([*suanli, "--help"], folder)[0] for _ in range(RUNS)]
        _, wall, told = cpu_and_wall([*suanli, "plan", str(scenario.resolve()), "--json"], folder)
    gap = json.loads(told)["recommended"]["solver"]["gap"]
    told_help = "within" if min(helps) <= HELP_CPU_SECONDS else "MISSED"
    told_plan = "within" if wall <= PLAN_WALL_SECONDS else "MISSED"
    print(f"suanli --help  {min(helps):.2f} s of CPU, best of {RUNS}: {told_help} (limit {HELP_CPU_SECONDS} s)")
    print(f"suanli plan    {wall:.1f} s wall from a cold start: {told_plan} (limit {PLAN_WALL_SECONDS} s)")
    print(f"gap            {gap:.2%} (asked {PLAN_GAP:.1%})")


if __name__ == "__main__":
    main()
