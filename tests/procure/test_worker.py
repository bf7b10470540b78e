"""The solver's process is killed when it overstays, and nothing is left behind."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from tests.procure.makers import choice, job, problem

from suanli.procure.program import Program
from suanli.procure.solve import NO_INCUMBENT, TIME_LIMIT, solve
from suanli.procure.worker import CHILD, GRACE_SECONDS, Outcome, Worker

SLACK_SECONDS = 3.0
READY = "import pickle, sys, time\nout = sys.stdout.buffer\npickle.dump({'kind': 'ready'}, out); out.flush()\n"


def knapsack():
    made = Program()
    columns = [made.column(f"x{n}", high=3.0, cost=-float(n + 1), whole=True) for n in range(3)]
    made.row("room", {column: float(column + 2) for column in columns}, high=7.0)
    return made.arrays()


def fake(script):
    """Make a worker whose child runs a script instead of the solver."""
    return Worker((sys.executable, "-c", READY + textwrap.dedent(script)))


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.close()


def test_a_small_program_is_solved(worker):
    answer = worker.run(knapsack(), gap=0.0, seconds=5.0)
    assert answer.outcome is Outcome.OPTIMAL
    assert answer.values is not None
    assert float(np.dot(answer.values, [-1.0, -2.0, -3.0])) == pytest.approx(answer.bound)


def test_one_child_answers_many_programs(worker):
    first = worker.run(knapsack(), gap=0.0, seconds=5.0)
    pid = worker._process.pid
    assert worker.run(knapsack(), gap=0.0, seconds=5.0).bound == first.bound
    assert worker._process.pid == pid


def test_presolve_does_not_change_the_optimum(worker):
    on, off = (worker.run(knapsack(), gap=0.0, seconds=5.0, presolve=flag) for flag in (True, False))
    assert on.bound == pytest.approx(off.bound)


def test_a_start_is_taken(worker):
    answer = worker.run(knapsack(), gap=0.0, seconds=5.0, start=np.array([0.0, 0.0, 1.0]))
    assert answer.outcome is Outcome.OPTIMAL


def test_a_program_without_answer_is_told_infeasible(worker):
    made = Program()
    column = made.column("x", high=1.0, whole=True)
    made.row("more", {column: 1.0}, low=2.0)
    answer = worker.run(made.arrays(), gap=0.0, seconds=5.0)
    assert answer.outcome is Outcome.INFEASIBLE
    assert answer.values is None


def test_a_child_that_sleeps_is_killed_at_its_limit():
    worker = fake("time.sleep(600)")
    begun = time.monotonic()
    answer = worker.run(knapsack(), gap=0.0, seconds=0.2)
    assert time.monotonic() - begun < 0.2 + GRACE_SECONDS + SLACK_SECONDS
    assert answer.outcome is Outcome.STOPPED
    assert answer.values is None
    assert worker._process is None


def test_what_a_hanging_child_found_is_kept():
    worker = fake("""
        import numpy
        pickle.load(sys.stdin.buffer)
        found = {'kind': 'incumbent', 'values': numpy.array([0.0, 0.0, 1.0]), 'bound': -9.0}
        pickle.dump(found, out); out.flush()
        time.sleep(600)
    """)
    answer = worker.run(knapsack(), gap=0.0, seconds=0.2)
    assert answer.outcome is Outcome.STOPPED
    assert answer.values is not None
    assert answer.bound == -9.0


def test_a_hang_ends_as_no_incumbent_not_as_a_traceback():
    asked = problem([choice("box", 2)], [job("train", 1.0, 1, {"box": 1.0})], 2)
    found = solve(asked, seconds=0.2, worker=fake("time.sleep(600)"))
    assert found.status == NO_INCUMBENT
    assert math.isinf(found.objective)
    assert found.status != TIME_LIMIT


def test_the_next_program_after_a_kill_is_answered(worker):
    worker.run(knapsack(), gap=0.0, seconds=5.0)
    os.kill(worker._process.pid, signal.SIGKILL)
    worker._process.wait()
    assert worker.run(knapsack(), gap=0.0, seconds=5.0).outcome is Outcome.OPTIMAL


def test_a_child_that_crashes_is_no_answer_and_no_hang():
    worker = fake("raise SystemExit(1)")
    assert worker.run(knapsack(), gap=0.0, seconds=1.0).outcome is Outcome.STOPPED


def test_a_killed_child_leaves_no_process():
    worker = fake("time.sleep(600)")
    worker._ready()
    pid = worker._process.pid
    worker.run(knapsack(), gap=0.0, seconds=0.1)
    assert gone(pid)


def test_the_child_ends_with_its_parent():
    script = f"""
        import os, sys
        sys.path[:0] = {sys.path!r}
        from suanli.procure.worker import Worker
        worker = Worker()
        worker._ready()
        print(worker._process.pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=60
    )
    pid = int(told.stdout)
    until = time.monotonic() + SLACK_SECONDS
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(pid) or _is_zombie(pid)


def _is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:  # noqa: PTH123
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


def test_the_child_loads_nothing_of_the_package():
    assert "import suanli" not in CHILD.read_text("utf-8")
    assert "from suanli" not in CHILD.read_text("utf-8")
