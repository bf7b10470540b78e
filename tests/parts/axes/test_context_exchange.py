"""Context ranks that trade heads for sequence (Ulysses) instead of sending keys and values in a ring."""

from dataclasses import replace

import numpy as np
import pytest
from tests.estimate.jobs import question_of, setup_of, small_model

from suanli.domain.layout import Layout
from suanli.domain.workload import Attention, ContextExchange
from suanli.estimate.evaluate import evaluate
from suanli.estimate.operators import attended_keys
from suanli.estimate.step import job_of
from suanli.estimate.tables import to_table
from suanli.estimate.training import training_flop
from suanli.parts.axes.axis import AXES

MODEL = small_model(layers=8, hidden=2048, heads=16)
RING = setup_of(MODEL, sequence=32768, batch=16)
TRADED = replace(RING, context_exchange=ContextExchange.ULYSSES)
LAYOUTS = [Layout(data=16), Layout(data=4, context=4), Layout(data=1, context=8, tensor=2)]


def transfers(setup, backward=False):
    job = job_of(setup, question_of(setup, nodes=2).machine)
    return AXES["context"].transfers(job, MODEL.runs[0].layer, to_table(LAYOUTS), backward)


def causes(setup, layouts=LAYOUTS):
    return evaluate(question_of(setup, nodes=2), to_table(layouts)).step.causes


def test_a_token_sends_its_queries_keys_and_values_before_attention_and_its_result_after():
    """16 heads of 128 in 16 bits: three times 4,096 bytes before, once after, over the tensor ranks."""
    before, after = transfers(TRADED)
    tokens = np.array([32768, 32768 / 4, 32768 / 8])
    assert before.message_bytes == pytest.approx(tokens * 3 * 4096 / np.array([1, 1, 2]))
    assert after.message_bytes == pytest.approx(before.message_bytes / 3)
    assert list(before.count) == list(after.count) == [0, 1, 1]
    assert {before.op, after.op} == {"all_to_all"}


def test_what_goes_forward_comes_back():
    for there, back in zip(transfers(TRADED), transfers(TRADED, backward=True), strict=True):
        assert there.message_bytes == pytest.approx(back.message_bytes)


def test_more_ranks_send_less_each_while_a_ring_sends_all_keys_whatever_their_number():
    sent = [sum(one.message_bytes for one in transfers(setup)) for setup in (RING, TRADED)]
    assert sent[0][1] == sent[0][0]
    assert sent[1][1] == pytest.approx(sent[1][0] / 4)


def test_attention_takes_the_same_on_part_of_the_heads_as_on_part_of_the_sequence():
    ring, traded = causes(RING), causes(TRADED)
    assert traded["attention"] == pytest.approx(ring["attention"], rel=0.02)
    assert (traded["context_exposed"][1:] > 0).all()
    assert traded["context_exposed"][0] == ring["context_exposed"][0] == 0


@pytest.mark.parametrize(("context", "tensor", "fits"), [(16, 1, True), (8, 2, True), (16, 2, False), (32, 1, False)])
def test_heads_must_split_over_tensor_and_context(context, tensor, fits):
    job = job_of(TRADED, question_of(TRADED, nodes=4).machine)
    table = to_table([Layout(data=1, context=context, tensor=tensor)])
    assert bool(AXES["context"].legal(job, table)[0]) is fits
    assert AXES["context"].legal(replace(job, ulysses=False), table)[0]


# ------------------------------------------------------------------------------------------------------------- packing


def packed(tokens, **changes):
    return replace(RING, document_tokens=tokens, **changes)


def test_documents_see_only_themselves():
    """Sixteen documents of 2,048 tokens: a token sees 1,024.5 keys on average instead of 16,384.5."""
    core = MODEL.runs[0].layer.core
    assert attended_keys(core, packed(2048).seen_tokens, True) == pytest.approx(1024.5)
    plain, short = causes(RING), causes(packed(2048))
    assert (short["attention"] < 0.2 * plain["attention"]).all()
    for cause in ("matmul", "memory_passes", "head", "optimizer"):
        assert short[cause] == pytest.approx(plain[cause])


@pytest.mark.parametrize("tokens", [32768, 10**6])
def test_documents_as_long_as_a_sequence_change_nothing(tokens):
    assert causes(packed(tokens))["attention"] == pytest.approx(causes(RING)["attention"])
    assert training_flop(packed(tokens)) == training_flop(RING)


def test_unfused_attention_masks_what_it_has_computed():
    plain = causes(replace(RING, attention=Attention.UNFUSED))["attention"]
    assert causes(packed(2048, attention=Attention.UNFUSED))["attention"] == pytest.approx(plain)


def test_arithmetic_of_packed_documents_is_that_of_so_many_short_sequences():
    short = replace(RING, sequence_tokens=2048, global_batch=16 * 16)
    assert training_flop(packed(2048)) == pytest.approx(training_flop(short))
