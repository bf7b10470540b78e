"""A user's own table: quotes, byte-order marks, line ends, alphabets, holes; every row told, every wrong cell named."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.validation.runs import DENSE
from tests.validation.test_serving_rows import PLAIN

from suanli.api.validate import validate
from suanli.domain.validation import PREDICTED
from suanli.foundation.errors import InputError
from suanli.validation.rows import MOST_COUNT, Record, plain_number, read_records

TRAINING, SERVING = {**DENSE, "notes": ""}, PLAIN


def text(*rows, end="\n", delimiter=",", quoting=csv.QUOTE_MINIMAL):
    """Write rows as the text of a table."""
    made = io.StringIO(newline="")
    writer = csv.DictWriter(made, fieldnames=list(rows[0]), lineterminator=end, delimiter=delimiter, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue()


def told(path, words, encoding="utf-8"):
    """Validate a text."""
    path = path / "runs.csv"
    path.write_bytes(words if isinstance(words, bytes) else words.encode(encoding))
    return validate(path).rows


@pytest.fixture(params=[TRAINING, SERVING], ids=["training", "serving"])
def plain(request):
    return request.param


def value(path, words, **how):
    (row,) = told(path, words, **how)
    assert row.status == PREDICTED
    return row.predicted


# ------------------------------------------------------------------------------------------------- forms of one table


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_line_ends_do_not_matter(tmp_path, plain, end):
    assert value(tmp_path, text(plain, end=end)) == value(tmp_path, text(plain))


def test_a_byte_order_mark_does_not_matter(tmp_path, plain):
    assert value(tmp_path, text(plain), encoding="utf-8-sig") == value(tmp_path, text(plain))


def test_a_missing_last_line_end_does_not_matter(tmp_path, plain):
    assert value(tmp_path, text(plain).rstrip("\n")) == value(tmp_path, text(plain))


def test_blank_lines_are_no_rows(tmp_path, plain):
    header, row = text(plain).splitlines()
    assert value(tmp_path, f"{header}\n\n{row}\n\n\n") == value(tmp_path, text(plain))


def test_the_order_of_columns_does_not_matter(tmp_path, plain):
    turned = {key: plain[key] for key in reversed(list(plain))}
    assert value(tmp_path, text(turned)) == value(tmp_path, text(plain))


def test_further_columns_are_passed_over(tmp_path, plain):
    assert value(tmp_path, text({**plain, "weather": "fine", "": "x"})) == value(tmp_path, text(plain))


def test_spaces_around_a_cell_do_not_matter(tmp_path, plain):
    spaced = {key: f"  {cell} " if cell else cell for key, cell in plain.items()}
    assert value(tmp_path, text(spaced)) == value(tmp_path, text(plain))


def test_every_cell_quoted_reads_like_none_quoted(tmp_path, plain):
    header = ",".join(f'"{key}"' for key in plain)
    row = ",".join(f'"{cell}"' for cell in plain.values())
    assert value(tmp_path, f"{header}\n{row}\n") == value(tmp_path, text(plain))


def test_the_same_table_says_the_same_each_time(tmp_path, plain):
    assert value(tmp_path, text(plain)) == value(tmp_path, text(plain))


@pytest.mark.parametrize(
    "said",
    ["a, b, c", 'the "fast" one', "two\nlines", "two\r\nlines", "\u2028", "a\u2029b", "a\x85b", "a\x0bb", "a\x0cb",
     "\u7b97\u529b", "\U0001f680", "\u202eright to left", "e\u0301", "=1+1", "tab\there", "'", "x" * 20_000],
)  # fmt: skip
def test_any_words_in_the_notes_leave_one_row_one_row(tmp_path, plain, said):
    rows = told(tmp_path, text({**plain, "notes": said}, {**plain, "id": "next"}))
    assert [row.id for row in rows] == [plain["id"], "next"]
    assert all(row.status == PREDICTED for row in rows)


@pytest.mark.parametrize("name", ["\u8fd0\u884c-1", "r\u00fcn", 'run "1"', "a,b", "\U0001f680"])
def test_a_run_is_named_in_any_alphabet(tmp_path, plain, name):
    (row,) = told(tmp_path, text({**plain, "id": name}))
    assert row.id == name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(notes=st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda said: said.strip() == said))
def test_a_cell_comes_back_as_it_was_written(tmp_path, notes):
    path = tmp_path / "cells.csv"
    rows = ({"id": "x", "notes": notes}, {"id": "y", "notes": "end"})
    path.write_bytes(text(*rows, quoting=csv.QUOTE_ALL).encode())
    first, last = read_records(path)
    assert first.text("notes") == notes
    assert (last.text("id"), last.text("notes")) == ("y", "end")


# ---------------------------------------------------------------------------------------------------- holes and faults


def test_a_row_cut_short_reads_as_empty_cells(tmp_path):
    header = "id,accelerator,model_name,step_time_s,tokens_per_s_per_gpu,peak_mem_gb"
    path = tmp_path / "short.csv"
    path.write_text(f"{header}\nr0,A100\nr1,A100,GPT-13B,10,,\n", encoding="utf-8")
    first, second = read_records(path)
    assert set(first.cells) == set(second.cells) == set(header.split(","))
    assert first.number("step_time_s") is None
    assert not first.faults


def test_a_first_row_cut_short_hides_no_columns(tmp_path):
    words = text({key: TRAINING[key] for key in TRAINING})
    header, row = words.splitlines()
    rows = told(tmp_path, f"{header}\nr0,lab\n{row}\n")
    assert [row.id for row in rows] == [TRAINING["id"]]


def test_cells_beyond_the_header_are_passed_over(tmp_path):
    header, row = text(TRAINING).splitlines()
    assert value(tmp_path, f"{header}\n{row},more,and more\n") == value(tmp_path, text(TRAINING))


def test_a_quote_left_open_is_refused_rather_than_swallowing_the_rows_below(tmp_path, plain):
    header, row = text(plain).splitlines()
    with pytest.raises(InputError, match="CSV"):
        told(tmp_path, f'{header}\n{row}"open\n{row}\n' if row.endswith(",") else f'{header}\n{row},"open\n{row}\n')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_refused_by_name(tmp_path, plain, encoding):
    with pytest.raises(InputError, match="UTF-8"):
        told(tmp_path, text(plain), encoding=encoding)


@pytest.mark.parametrize("words", ["", "\n", "\n\n\n", "\ufeff"])
def test_a_table_of_nothing_is_refused(tmp_path, words):
    with pytest.raises(InputError):
        told(tmp_path, words)


def test_a_table_of_columns_alone_is_refused(tmp_path, plain):
    with pytest.raises(InputError, match="no rows"):
        told(tmp_path, text(plain).splitlines()[0] + "\n")


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_refused_with_the_columns_that_are_missing(tmp_path, plain, delimiter):
    with pytest.raises(InputError, match="columns"):
        told(tmp_path, text(plain, delimiter=delimiter))


@pytest.mark.parametrize("missing", ["id", "accelerator", "step_time_s"])
def test_a_missing_column_is_named(tmp_path, missing):
    with pytest.raises(InputError, match=missing):
        told(tmp_path, text({key: cell for key, cell in TRAINING.items() if key != missing}))


def test_every_wrong_cell_of_a_table_is_told_once_with_its_line(tmp_path):
    rows = [TRAINING, {**TRAINING, "layers": "many", "gpus": "0"}, {**TRAINING, "step_time_s": "-1"}]
    with pytest.raises(InputError) as caught:
        told(tmp_path, text(*rows))
    places = [fault.place for fault in caught.value.faults]
    assert sorted(places) == ["runs.csv:3: gpus", "runs.csv:3: layers", "runs.csv:4: step_time_s"]


@pytest.mark.parametrize(
    "wrong", ["many", "1_000", "\u0663", "\uff11", "inf", "-inf", "nan", "1e999", "1,5", "0x10", "-1", "1 2", "--1"]
)
def test_what_is_no_plain_number_is_no_number(wrong):
    record = Record(file="t.csv", line=2, cells={"x": wrong})
    assert record.number("x") is None
    assert [fault.place for fault in record.faults] == ["t.csv:2: x"]


@pytest.mark.parametrize(("said", "number"), [("1", 1.0), ("1.5", 1.5), ("1e3", 1000.0), ("+2", 2.0), (".5", 0.5)])
def test_plain_numbers_are_read(said, number):
    assert plain_number(said) == number
    assert Record(file="t.csv", line=2, cells={"x": f" {said} "}).number("x") == number


@pytest.mark.parametrize("wrong", ["0", "1.5", "1e300", str(MOST_COUNT + 1), "-3", "0.999999"])
def test_what_is_no_whole_number_in_reach_is_no_count(wrong):
    record = Record(file="t.csv", line=2, cells={"x": wrong})
    assert record.count("x") is None
    assert len(record.faults) == 1


def test_a_wrong_cell_read_twice_is_one_fault():
    record = Record(file="t.csv", line=2, cells={"x": "0"})
    assert record.count("x") is record.count("x") is None
    assert len(record.faults) == 1


@pytest.mark.parametrize(("said", "number"), [("1", 1), ("8.0", 8), ("1e3", 1000), (str(MOST_COUNT), MOST_COUNT)])
def test_whole_numbers_are_counts_however_written(said, number):
    assert Record(file="t.csv", line=2, cells={"x": said}).count("x") == number


@settings(max_examples=100, deadline=None)
@given(said=st.text(max_size=12))
def test_any_cell_is_a_number_of_at_least_nothing_or_a_fault_or_empty(said):
    record = Record(file="t.csv", line=2, cells={"x": said})
    read = record.number("x")
    assert (read is None) == (not said.strip() or bool(record.faults))
    assert read is None or 0 <= read < float("inf")


def test_more_heads_than_the_hidden_state_has_elements_are_refused(tmp_path):
    with pytest.raises(InputError, match="heads"):
        told(tmp_path, text({**TRAINING, "hidden": "8"}))


def test_one_bad_row_of_serving_runs_leaves_the_others(tmp_path):
    bad = [{**SERVING, "id": "b", "accelerator": "H9000"}, {**SERVING, "id": "c", "tp": "half"}]
    rows = told(tmp_path, text(SERVING, *bad, {**SERVING, "id": "d"}))
    assert [row.id for row in rows] == ["a-1", "b", "c", "d"]
    assert [row.status == PREDICTED for row in rows] == [True, False, False, True]
    assert rows[0].predicted == rows[3].predicted


def test_one_row_of_training_runs_that_is_not_known_leaves_the_others(tmp_path):
    rows = told(tmp_path, text(TRAINING, {**TRAINING, "id": "b", "accelerator": "H9000"}, {**TRAINING, "id": "c"}))
    assert [row.status == PREDICTED for row in rows] == [True, False, True]
    assert "H9000" in rows[1].status
    assert rows[1].measured == 30.0


def test_unpredicted_rows_count_against_coverage(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(text(SERVING, {**SERVING, "accelerator": "H9000"}, {**SERVING, "engine": "?"}, SERVING), "utf-8")
    summary = validate(path).summary["output_tokens_per_s"]
    assert (summary.rows, summary.predicted_rows) == (4, 2)
