"""Traces in every published form, read in chunks; what is wrong in them is told with file and line."""

import json

import numpy as np
import pytest

from suanli.foundation.errors import InputError
from suanli.traffic.read import first_of, joined, read_traffic

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
FORMS = {
    "azure": AZURE + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n",
    "azure 2024": AZURE + "2024-05-10 00:00:00.009930+00:00,2162,5\n2024-05-10 00:00:04.324509+00:00,2399,6\n",
    "burstgpt": BURST + "5,ChatGPT,472,18,490,Conversation log\n9.314579,GPT-4,1087,230,1317,API log\n",
    "vidur": "arrived_at,num_prefill_tokens,num_decode_tokens\n0.0,374,44\n4.314579,396,109\n",
    "suanli": "arrival_s,input_tokens,output_tokens,priority,block_ids\n10,100,20,1,3 4 5\n14.314579,90,10,,\n",
}
MOONCAKE = (
    {"timestamp": 0, "input_length": 6755, "output_length": 500, "hash_ids": [0, 1, 2]},
    {"timestamp": 4314, "input_length": 7319, "output_length": 490, "hash_ids": [0, 3]},
)


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_told_by_its_columns_and_counts_from_its_first_request(form, tmp_path):
    found = first_of(written(tmp_path / "trace.csv", FORMS[form]), None)
    assert len(found) == 2
    assert found.arrival_seconds == pytest.approx([0, 4.314579], abs=1e-5)
    assert (found.input_tokens >= 1).all()


def test_hashed_blocks_are_shared_beginnings(tmp_path):
    text = "\n".join(json.dumps(one) for one in MOONCAKE)
    found = first_of(written(tmp_path / "trace.jsonl", text), None)
    assert found.arrival_seconds == pytest.approx([0, 4.314])
    assert list(found.block_ids) == [0, 1, 2, 0, 3]
    assert list(found.block_offsets) == [0, 3, 5]
    assert found.block_tokens == 512


def test_our_own_form_tells_priorities_and_blocks(tmp_path):
    found = first_of(written(tmp_path / "trace.csv", FORMS["suanli"]), None)
    assert list(found.priority) == [1, 0]
    assert list(found.block_ids) == [3, 4, 5]


def test_failed_requests_are_left_out(tmp_path):
    text = FORMS["burstgpt"] + "10,GPT-4,500,0,500,API log\n"
    assert len(first_of(written(tmp_path / "trace.csv", text), None)) == 2


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_are_the_whole(chunk, tmp_path):
    rows = "\n".join(f"{at * 0.5},{at % 9 + 1},{at % 5 + 1}" for at in range(50))
    path = written(tmp_path / "trace.csv", "arrived_at,num_prefill_tokens,num_decode_tokens\n" + rows)
    parts = list(read_traffic(path, chunk))
    assert max(len(part) for part in parts) <= chunk
    whole = joined(parts)
    assert len(whole) == 50
    assert whole.arrival_seconds == pytest.approx(np.arange(50) * 0.5)
    assert len(first_of(path, 13)) == 13


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,in,out\n1,2,3\n", "columns time, in, out"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n0,1,x\n1,y,2\n", "trace.csv:3"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n5,1,1\n4,1,1\n", "arrivals in order"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n0,-1,1\n", "whole numbers of tokens"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\ninf,1,1\n", "a time"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n0,1.5,1\n", "whole numbers"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n" + "x,1,1\n" * 30, "more lines, not read"),
        ("", "nothing"),
        ("arrived_at,num_prefill_tokens,num_decode_tokens\n", "no requests"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 3, "hash_ids": []}\nbroken\n', "trace.csv:2"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, said, tmp_path):
    with pytest.raises(InputError, match=said):
        first_of(written(tmp_path / "trace.csv", text), None)


def test_a_file_that_is_no_text_is_no_trace(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="UTF-8"):
        first_of(path, None)


def test_chunks_are_bounded_by_their_blocks_too(tmp_path):
    lines = [json.dumps({**MOONCAKE[0], "timestamp": at, "hash_ids": list(range(49))}) for at in range(40)]
    parts = list(read_traffic(written(tmp_path / "trace.jsonl", "\n".join(lines)), 100))
    assert [len(part) for part in parts] == [2] * 20


def test_numbers_may_be_written_with_a_point(tmp_path):
    text = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,374.0,44.0\n"
    assert first_of(written(tmp_path / "trace.csv", text), None).input_tokens[0] == 374
