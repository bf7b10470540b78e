"""The command as people run it: a process of its own, with a real terminal's streams."""

import json
import os
import subprocess
import sys

from tests.cli.asking import CONFIG
from tests.planner import small


def shell(*words, **environment):
    """Run the command as people do, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "suanli", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error", **environment},
    )


def test_a_real_process_keeps_its_promises(tmp_path):
    good = shell("model", "Qwen/Qwen3-8B", "--json", LC_ALL="C")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["name"]
    wrong = shell("model", tmp_path / "none.json", "--lang", "zh", PYTHONIOENCODING="utf-8")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr
    assert "none.json" in wrong.stderr


def test_a_real_process_plans_with_progress_on_no_terminal_silent(tmp_path):
    told = shell(
        "plan", small.write(tmp_path), "--json", "--html", tmp_path / "r.html", PYTHONIOENCODING="utf-8", LC_ALL="C"
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["recommended"]["cost"]["currency"] == "CNY"
    assert told.stderr.splitlines() == [f"Report written: {tmp_path / 'r.html'}"]
    assert (tmp_path / "r.html").stat().st_size > 10_000


def test_a_reader_who_goes_away_sees_no_traceback():
    """`suanli catalogue list --json | head -1`: the pipe closes while there is more to say."""
    asked = subprocess.Popen(
        [sys.executable, "-m", "suanli", "catalogue", "list", "offers", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    asked.stdout.readline()
    asked.stdout.close()
    told = asked.stderr.read().decode()
    asked.stderr.close()
    asked.wait()
    assert "Traceback" not in told


def test_a_terminal_that_knows_no_chinese_is_spoken_to_all_the_same(tmp_path):
    told = shell("model", "Qwen/Qwen3-8B", "--lang", "zh", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (told.returncode, told.stderr) == (0, "")
    assert "8,190,735,360" in told.stdout
    (tmp_path / "模型🚀").mkdir()
    (tmp_path / "模型🚀" / "config.json").write_text(json.dumps(CONFIG))
    told = shell("model", tmp_path / "模型🚀", "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(told.stdout)["name"] == "模型🚀"
