"""A user's own figures: only what the file names changes, and whatever is wrong with it is named at once."""

import pytest

from suanli.estimate.overlay import read_overlay
from suanli.estimate.software import load_training_calibration
from suanli.foundation.errors import InputError

KNOWN = load_training_calibration()
HEAD = 'source: "our runs"\ndate: "2026-11"\nkind: measured\n'
WHOLE = (
    HEAD
    + """rows: 12
software:
  megatron_core:
    pass_factor: 1.93
    launch_seconds: 6 us
    reserved_bytes: 2 GiB
cluster:
  straggler_per_doubling: 0.009
sustained:
  "nv-a100*": {matmul: 0.97}
spread:
  software: {megatron_core: 0.05}
  chip: {datasheet: 0.3}
  sigmas_above: 1.5
"""
)


def read(tmp_path, text):
    file = tmp_path / "ours.yaml"
    file.write_text(text, encoding="utf-8")
    return read_overlay(file, KNOWN)


def faults(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    return caught.value.faults


def test_named_figures_change_in_si(tmp_path):
    told = read(tmp_path, WHOLE)
    own = told.calibration
    one = own.software["megatron_core"]
    assert (one.pass_factor, one.launch_seconds, one.reserved_bytes) == (1.93, 6e-6, 2**31)
    assert own.straggler_per_doubling == 0.009
    assert own.sustained["nv-a100*"].matmul == 0.97
    assert (own.spread.software["megatron_core"], own.spread.chip["datasheet"], own.spread.sigmas_above) == (
        0.05, 0.3, 1.5,
    )  # fmt: skip
    assert (told.source, told.date, told.kind, told.rows) == ("our runs", "2026-11", "measured", 12)


def test_what_is_not_named_stays(tmp_path):
    own = read(tmp_path, WHOLE).calibration
    assert own.software["xla"] == KNOWN.software["xla"]
    assert own.software["megatron_core"].gather_hidden == KNOWN.software["megatron_core"].gather_hidden
    assert own.sustained["nv-a100*"].attention == KNOWN.sustained["nv-a100*"].attention
    assert own.misaligned_slowdown == KNOWN.misaligned_slowdown
    assert own.spread.experts == KNOWN.spread.experts
    assert own.aliases == KNOWN.aliases


def test_a_file_that_names_nothing_changes_nothing(tmp_path):
    assert read(tmp_path, HEAD).calibration == KNOWN


def test_reading_leaves_the_shipped_figures_alone(tmp_path):
    before = load_training_calibration()
    read(tmp_path, WHOLE)
    assert load_training_calibration() == before


def test_everything_wrong_is_named_at_once_with_its_line(tmp_path):
    found = faults(
        tmp_path,
        """source: 3
date: "yesterday"
kind: gossip
rows: -1
sofware: {}
software:
  megatron_coer: {pass_factor: 1}
  megatron_core:
    pas_factor: 1
    pass_factor: many
    launch_seconds: 6 GB
    gather_hidden: 1.2
cluster:
  odd_head_slowdown: 0
sustained:
  "nv-a100*": {matmul: -1}
spread: [1]
""",
    )
    places = [fault.place.rsplit("ours.yaml:", 1)[1].split(":")[0] for fault in found]
    assert sorted(map(int, places)) == [1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 14, 16, 17]
    assert all(fault.found and fault.allowed for fault in found)
    hints = " ".join(fault.hint for fault in found)
    assert "'software'" in hints
    assert "'megatron_core'" in hints
    assert "'pass_factor'" in hints


@pytest.mark.parametrize("word", ["source", "date", "kind"])
def test_a_file_says_where_its_figures_come_from(tmp_path, word):
    text = "\n".join(line for line in HEAD.splitlines() if not line.startswith(word))
    (fault,) = faults(tmp_path, text)
    assert word in fault.found


@pytest.mark.parametrize("text", ["", "- 1\n", "just words\n", "a: &x 1\nb: *x\n", "a: 1\n---\nb: 2\n", "a: [\n"])
def test_what_is_no_calibration_is_refused(tmp_path, text):
    assert faults(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_overlay(tmp_path / "none.yaml", KNOWN)


@pytest.mark.parametrize("said", [".nan", ".inf", "1e999", "true", "''", "[1]", "{a: 1}", "-0.5"])
def test_a_figure_is_a_finite_number_of_at_least_zero(tmp_path, said):
    assert faults(tmp_path, HEAD + f"software:\n  megatron_core:\n    scan_factor: {said}\n")
