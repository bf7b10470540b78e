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
from typing import Any, BinaryIO

import highspy
import numpy as np

WATCH_EXIT = 3
"""Exit code when a program overstayed its time and the child ended itself."""


def main() -> None:
    """Answer programs until the input closes."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, asked), daemon=True).start()
    _send(answers, {"kind": "ready"})
    while True:
        program = asked.get()
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
    made: Any = highspy.Highs
    solver = made()
    for option, value in program["options"].items():
        solver.setOptionValue(option, value)
    solver.passModel(_model(program))
    if program["start"] is not None:
        start = highspy.HighsSolution()
        start.col_value = program["start"].tolist()
        solver.setSolution(start)

    def tell(event: Any) -> None:
        found = np.array(event.data_out.mip_solution, dtype=np.float64)
        _send(answers, {"kind": "incumbent", "values": found, "bound": float(event.data_out.mip_dual_bound)})

    if program["whole"].any():
        solver.cbMipImprovingSolution += tell
    solver.run()
    return _answer(solver, bool(program["whole"].any()))


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
