"""What is written in our own form is read back to the last bit."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.traffic.test_generate import MIX, TALKS

from suanli.foundation.errors import InputError
from suanli.traffic.generate import generate
from suanli.traffic.named import named_traffic
from suanli.traffic.read import first_of, head, joined, read_traffic
from suanli.traffic.scale import chosen
from suanli.traffic.write import write_traffic

MIXES = {"plain": MIX, "talks": TALKS, "followed": named_traffic()["mooncake-conversation"]}


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(sorted(MIXES)), many=st.integers(1, 300), seed=st.integers(0, 99))
def test_what_is_written_is_read_back_to_the_last_bit(name, many, seed, tmp_path_factory):
    asked, path = generate(MIXES[name], many, seed), tmp_path_factory.mktemp("traffic") / "own.csv"
    assert write_traffic([asked], path) == many
    found = first_of(path, None)
    for field in fields(asked):
        one, other = getattr(asked, field.name), getattr(found, field.name)
        if field.name == "block_tokens":
            assert one == other or not len(asked.block_ids)
        else:
            assert one.tobytes() == other.tobytes(), field.name


def test_chunks_make_the_same_file_as_the_whole(tmp_path):
    asked = generate(TALKS, 400, 1)
    parts = [head(asked, 150), chosen(asked, np.arange(400) >= 150)]
    write_traffic([asked], tmp_path / "whole.csv")
    write_traffic(parts, tmp_path / "parts.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "parts.csv").read_bytes()
    assert joined(list(read_traffic(tmp_path / "whole.csv", 50))).block_tokens == asked.block_tokens


def test_blocks_of_two_sizes_are_refused(tmp_path):
    path = tmp_path / "own.csv"
    rows = "0,100,1,0,16,1 2\n1,100,1,0,512,3\n"
    path.write_text("arrival_s,input_tokens,output_tokens,priority,block_tokens,block_ids\n" + rows, encoding="utf-8")
    with pytest.raises(InputError, match="one size"):
        first_of(path, None)


def test_no_requests_leave_no_file(tmp_path):
    with pytest.raises(InputError, match="no requests"):
        write_traffic([], tmp_path / "own.csv")
    assert list(tmp_path.iterdir()) == []
