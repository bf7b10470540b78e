"""The parent's side of the solver's process: one child that lives as long as it behaves, killed when it does not."""

from __future__ import annotations

import atexit
import contextlib
import math
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from suanli.foundation.equation import FloatArray
from suanli.procure.program import ProgramArrays

CHILD = Path(__file__).with_name("child.py")
GRACE_SECONDS = 2.0
"""How long past its limit a solver that has not answered may live."""

START_SECONDS = 30.0
"""How long a child may take to load on a busy machine."""


class Outcome(StrEnum):
    """How a run of the solver ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a run brought: its end, the best values found (None where none), and the bound proved."""

    outcome: Outcome
    values: FloatArray | None
    bound: float
    seconds: float


OUTCOMES = {
    "kOptimal": Outcome.OPTIMAL,
    "kModelEmpty": Outcome.OPTIMAL,
    "kInfeasible": Outcome.INFEASIBLE,
    "kUnboundedOrInfeasible": Outcome.INFEASIBLE,
}
"""The solver's words for an end; any other one says that it was stopped."""


class Worker:
    """A child process that solves programs one after the other; started at the first program."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-P", str(CHILD))) -> None:
        self.command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def run(
        self,
        arrays: ProgramArrays,
        *,
        gap: float,
        seconds: float,
        threads: int = 1,
        start: FloatArray | None = None,
        presolve: bool = True,
    ) -> Answer:
        """Solve a program within a hard limit of wall time; a child that overstays it is killed."""
        options = {
            "output_flag": False,
            "time_limit": seconds,
            "mip_rel_gap": gap,
            "mip_abs_gap": 0.0,
            "mip_allow_restart": False,
            "threads": threads,
            "presolve": "on" if presolve else "off",
        }
        message = asdict(arrays) | {"options": options, "start": start, "watch_seconds": seconds + 2 * GRACE_SECONDS}
        with self._lock:
            begun = time.monotonic()
            process = self._ready()
            return self._ask(process, message, seconds + GRACE_SECONDS, begun)

    def close(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._process = process
        with _killed_after(process, START_SECONDS):
            if _receive(process.stdout) is None:
                self.close()
                raise RuntimeError("the solver's process did not start")
        return process

    def _ask(self, process: subprocess.Popen[bytes], message: dict[str, Any], limit: float, begun: float) -> Answer:
        values: FloatArray | None = None
        bound = -math.inf
        with _killed_after(process, limit):
            heard = _receive(process.stdout) if _put(process.stdin, message) else None
            while heard is not None and heard["kind"] == "incumbent":
                values, bound = heard["values"], heard["bound"]
                heard = _receive(process.stdout)
        seconds = time.monotonic() - begun
        if heard is None:
            self.close()
            return Answer(outcome=Outcome.STOPPED, values=values, bound=bound, seconds=seconds)
        outcome = OUTCOMES.get(heard["status"], Outcome.STOPPED)
        found = heard["values"] if heard["values"] is not None else values
        return Answer(outcome=outcome, values=found, bound=heard["bound"], seconds=seconds)


@contextlib.contextmanager
def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> Any:
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _put(pipe: IO[bytes] | None, message: dict[str, Any]) -> bool:
    if pipe is None:
        return False
    try:
        pickle.dump(message, pipe, protocol=pickle.HIGHEST_PROTOCOL)
        pipe.flush()
    except OSError:
        return False
    return True


def _receive(pipe: IO[bytes] | None) -> dict[str, Any] | None:
    if pipe is None:
        return None
    try:
        message: dict[str, Any] = pickle.load(pipe)
    except (EOFError, OSError, pickle.UnpicklingError):
        return None
    return message


SHARED = Worker()
"""The worker that all solving of this process goes through."""

atexit.register(SHARED.close)
