"""The solver's own process: reads programs on standard input, answers on standard output, ends with its parent.

Started as a file of its own and not as a part of the package, so that it loads NumPy and HiGHS and nothing else. It
has three ends: its input closes, a program overstays its time, or the parent kills it; so nothing is left behind.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import time
from typing import Any, BinaryIO

import highspy
import numpy as np

LARGE_PROGRAM = 100
"""A program with more whole columns than this gets a head start before its tree is searched."""

HEAD_SHARE = 0.3
"""Share of the time that the leading decisions may take in a head start."""

HEAD_GAP = 0.01
"""Gap at which the leading decisions are good enough for a head start."""

DIVE_SHARES = (0.05, 0.5)
"""Shares of the fractional columns that are rounded up at once in a dive: a careful and a bold one."""

ROUNDING = 1e-6
"""Less than this off a whole number is whole."""

WATCH_EXIT = 3
"""Exit code when a program overstayed its time and the child ended itself."""


def main() -> None:
    """Answer programs until the input closes."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, asked), daemon=True).start()
    _send(answers, {"kind": "ready"})
    threads = 0
    while True:
        program = asked.get()
        if program["options"]["threads"] != threads:
            highspy.Highs.resetGlobalScheduler(True)
            threads = program["options"]["threads"]
        watch = threading.Timer(program["watch_seconds"], os._exit, (WATCH_EXIT,))
        watch.daemon = True
        watch.start()
        _send(answers, _solve(program, answers))
        watch.cancel()


def _read(source: BinaryIO, asked: queue.Queue[dict[str, Any]]) -> None:
    while True:
        try:
            asked.put(pickle.load(source))
        except (EOFError, OSError, pickle.UnpicklingError):
            os._exit(0)


def _send(answers: BinaryIO, message: dict[str, Any]) -> None:
    pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _solve(program: dict[str, Any], answers: BinaryIO) -> dict[str, Any]:
    begun = time.monotonic()
    start, bound = program["start"], -np.inf
    if np.count_nonzero(program["whole"]) > LARGE_PROGRAM:
        dived, bound = _head_start(program)
        known = [values for values in (start, dived) if values is not None]
        start = min(known, key=lambda values: float(program["cost"] @ values)) if known else None
    if start is not None:
        _send(answers, {"kind": "incumbent", "values": start, "bound": bound})
    solver = _loaded(program, program["options"])
    spent = time.monotonic() - begun
    solver.setOptionValue("time_limit", max(0.0, program["options"]["time_limit"] - spent))
    if start is not None:
        given = highspy.HighsSolution()
        given.col_value = start.tolist()
        solver.setSolution(given)

    def tell(event: Any) -> None:
        found = np.array(event.data_out.mip_solution, dtype=np.float64)
        _send(answers, {"kind": "incumbent", "values": found, "bound": max(bound, event.data_out.mip_dual_bound)})

    if program["whole"].any():
        solver.cbMipImprovingSolution += tell
    solver.run()
    answer = _answer(solver, bool(program["whole"].any()))
    return answer | {"bound": max(bound, answer["bound"])}


def _head_start(program: dict[str, Any]) -> tuple[Any, float]:
    """Decide the leading columns alone, then dive from there: a good answer early, and a bound that holds for all."""
    options = program["options"]
    relaxed = program | {"whole": program["leading"]}
    quick = {"time_limit": HEAD_SHARE * options["time_limit"], "mip_rel_gap": HEAD_GAP}
    solver = _loaded(relaxed, options | quick)
    solver.run()
    answer = _answer(solver, bool(program["leading"].any()))
    led, bound = answer["values"], float(answer["bound"])
    low, high = program["low"].copy(), program["high"].copy()
    if led is not None:
        leading = np.flatnonzero(program["leading"])
        low[leading] = high[leading] = np.round(led[leading])
    dives = [_dive(program | {"low": low, "high": high}, share) for share in DIVE_SHARES]
    found = [values for values in dives if values is not None]
    return (min(found, key=lambda values: float(program["cost"] @ values)) if found else None), bound


def _dive(program: dict[str, Any], share: float) -> Any:
    """Round fractional columns up, nearest first, and solve again, until all are whole or nothing fits.

    Where a rounding fits no more it is taken back: first but for its nearest column, then that one is rounded down.
    """
    whole = np.flatnonzero(program["whole"])
    low, high = program["low"].copy(), program["high"].copy()
    solver = _loaded(program | {"whole": np.zeros_like(program["whole"])}, program["options"] | {"presolve": "off"})
    values, last = low, np.empty(0, dtype=np.int64)
    while True:
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            if not last.size:
                return None
            low[last], kept = np.floor(values[last] + ROUNDING), last
            last = last[:1] if last.size > 1 else last[:0]
            low[last] = np.ceil(values[last] - ROUNDING)
            if not last.size:
                high[kept] = low[kept]
            _bound(solver, kept, low, high)
            continue
        values = np.array(solver.getSolution().col_value, dtype=np.float64)
        part = values[whole] - np.floor(values[whole] + ROUNDING)
        broken = np.flatnonzero(part > ROUNDING)
        if not broken.size:
            return values
        last = whole[broken[np.argsort(-part[broken])[: max(1, int(share * broken.size))]]]
        low[last] = np.minimum(np.ceil(values[last] - ROUNDING), high[last])
        _bound(solver, last, low, high)


def _bound(solver: Any, columns: Any, low: Any, high: Any) -> None:
    for column in columns:
        solver.changeColBounds(int(column), float(low[column]), float(high[column]))


def _loaded(program: dict[str, Any], options: dict[str, Any]) -> Any:
    make: Any = highspy.Highs
    solver = make()
    for option, value in options.items():
        solver.setOptionValue(option, value)
    solver.passModel(_model(program))
    return solver


def _model(program: dict[str, Any]) -> Any:
    model = highspy.HighsLp()
    model.num_col_ = len(program["cost"])
    model.num_row_ = len(program["row_low"])
    model.col_cost_ = program["cost"]
    model.col_lower_ = program["low"]
    model.col_upper_ = program["high"]
    model.row_lower_ = program["row_low"]
    model.row_upper_ = program["row_high"]
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = program["row_start"]
    model.a_matrix_.index_ = program["index"]
    model.a_matrix_.value_ = program["value"]
    if program["whole"].any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(flag)] for flag in program["whole"]]
    return model


def _answer(solver: Any, whole: bool) -> dict[str, Any]:
    info = solver.getInfo()
    solution = solver.getSolution()
    feasible = info.primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    bound = info.mip_dual_bound if whole else info.objective_function_value
    return {
        "kind": "done",
        "status": solver.getModelStatus().name,
        "values": np.array(solution.col_value, dtype=np.float64) if feasible else None,
        "bound": float(bound),
    }


if __name__ == "__main__":
    main()
