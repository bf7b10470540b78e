"""What is conserved: parameters, operations and bytes add up over roles, runs, layers and batches."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.parts.architectures.count import (
    active_parameters,
    core_flop,
    draft_parameters,
    forward_flop,
    head_parameters,
    kv_bytes_per_sequence,
    kv_bytes_per_token,
    kv_elements_per_token,
    layer_flop,
    layer_parameters,
    layers,
    outside_parameters,
    parameters,
    parameters_by_role,
    state_bytes_per_sequence,
    vector_parameters,
    weight_bytes,
)
from suanli.parts.architectures.read import known_models, named_model

NAMES = known_models()
VARIED = [
    "meta-llama/Llama-3.1-8B",
    "deepseek-ai/DeepSeek-V3.2",
    "deepseek-ai/DeepSeek-V4-Pro",
    "google/gemma-2-9b",
    "openai/gpt-oss-20b",
    "Qwen/Qwen3.5-397B-A17B",
    "nvidia/Nemotron-H-56B-Base-8K",
    "tiiuae/falcon-40b",
]
BF16_BYTES = 2
FEW = settings(max_examples=25, deadline=None)
sizes = some.integers(1, 300)
tokens_of = some.integers(1, 100_000)


@some.composite
def matrices(draw, role=None):
    copies = draw(some.integers(1, 16))
    return Matrix(
        name="w",
        role=role or draw(some.sampled_from(Role)),
        inputs=draw(sizes),
        outputs=draw(sizes),
        copies=copies,
        active=float(draw(some.integers(1, copies))),
        bias=draw(some.integers(0, 50)),
    )


@some.composite
def cores(draw):
    kind = draw(some.sampled_from([CoreKind.SOFTMAX, CoreKind.LATENT, CoreKind.LINEAR, CoreKind.STATE_SPACE]))
    recurrent = kind in (CoreKind.LINEAR, CoreKind.STATE_SPACE)
    return Core(
        kind=kind,
        heads=draw(sizes),
        kv_heads=1,
        qk_head_dim=draw(sizes),
        v_head_dim=draw(sizes),
        window=None if recurrent else draw(some.none() | some.integers(1, 5000)),
        selected=None if recurrent else draw(some.none() | some.integers(1, 5000)),
        cached_elements=0 if recurrent else draw(sizes),
        state_elements=draw(sizes) if recurrent else 0,
        state_passes=draw(some.integers(2, 3)) if recurrent else 0,
    )


@some.composite
def layer_of(draw):
    return Layer(
        name="layer",
        core=draw(cores()),
        matrices=tuple(draw(some.lists(matrices(), min_size=1, max_size=4))),
        vector_parameters=draw(sizes),
    )


@some.composite
def models(draw):
    runs = draw(some.lists(some.builds(LayerRun, layer=layer_of(), count=some.integers(1, 90)), min_size=1, max_size=3))
    hidden, vocabulary = draw(sizes), draw(sizes)
    return Model(
        name="m",
        family="any",
        hidden=hidden,
        vocabulary=vocabulary,
        runs=tuple(runs),
        embedding_parameters=hidden * vocabulary,
        tied_head=draw(some.booleans()),
        head_bias=draw(some.integers(0, 10)),
        final_vector_parameters=hidden,
        max_positions=None,
        dtype="bfloat16",
    )


@FEW
@given(model=models())
def test_roles_vectors_and_nothing_else_make_the_whole(model):
    assert sum(parameters_by_role(model).values()) + vector_parameters(model) == parameters(model)


@FEW
@given(model=models())
def test_runs_and_what_stands_outside_make_the_whole(model):
    inside = sum(run.count * layer_parameters(run.layer) for run in model.runs)
    assert inside + outside_parameters(model) == parameters(model)


@FEW
@given(model=models())
def test_layers_laid_out_one_by_one_count_as_their_runs(model):
    apart = tuple(LayerRun(layer=run.layer, count=1) for run in model.runs for _ in range(run.count))
    spread = replace(model, runs=apart)
    assert layers(spread.runs) == layers(model.runs) == len(apart)
    assert parameters(spread) == parameters(model)
    assert kv_elements_per_token(spread) == kv_elements_per_token(model)
    assert forward_flop(spread, 100, causal=True) == pytest.approx(forward_flop(model, 100, causal=True))


@FEW
@given(model=models())
def test_the_order_of_runs_does_not_matter(model):
    turned = replace(model, runs=tuple(reversed(model.runs)))
    assert parameters(turned) == parameters(model)
    assert parameters_by_role(turned) == parameters_by_role(model)
    assert forward_flop(turned, 77) == pytest.approx(forward_flop(model, 77))


@FEW
@given(model=models(), tokens=tokens_of)
def test_operations_add_up_over_layers_and_the_head(model, tokens):
    inside = sum(run.count * layer_flop(run.layer, tokens, True) for run in model.runs)
    head = 2.0 * tokens * model.hidden * model.vocabulary
    assert forward_flop(model, tokens, causal=True) == pytest.approx(inside + head, rel=1e-12)


@FEW
@given(model=models(), tokens=tokens_of, batch=some.integers(0, 64))
def test_a_batch_is_so_many_sequences(model, tokens, batch):
    assert forward_flop(model, tokens, batch) == pytest.approx(batch * forward_flop(model, tokens))


@FEW
@given(model=models(), tokens=tokens_of)
def test_no_mask_means_no_fewer_operations(model, tokens):
    assert forward_flop(model, tokens, causal=True) <= forward_flop(model, tokens, causal=False) * (1 + 1e-12)


@FEW
@given(model=models(), tokens=tokens_of, more=some.integers(1, 10_000))
def test_more_context_is_never_fewer_operations_or_bytes(model, tokens, more):
    for causal in (False, True):
        assert forward_flop(model, tokens + more, causal=causal) > forward_flop(model, tokens, causal=causal)
    assert kv_bytes_per_sequence(model, tokens + more) >= kv_bytes_per_sequence(model, tokens)


@FEW
@given(model=models(), tokens=tokens_of)
def test_a_cache_is_never_more_than_all_its_tokens(model, tokens):
    assert kv_bytes_per_sequence(model, tokens) <= tokens * kv_bytes_per_token(model) * (1 + 1e-12)


@FEW
@given(model=models())
def test_the_first_token_is_in_every_window(model):
    assert kv_bytes_per_sequence(model, 1) == pytest.approx(kv_bytes_per_token(model))


@FEW
@given(model=models())
def test_active_is_the_whole_less_the_experts_not_chosen(model):
    idle = sum(
        run.count * (matrix.copies - matrix.active) * (matrix.inputs * matrix.outputs + matrix.bias)
        for run in model.runs
        for matrix in run.layer.matrices
    )
    assert active_parameters(model) == parameters(model) - idle


@FEW
@given(model=models())
def test_tying_takes_the_head_away_and_its_work_not(model):
    apart, tied = replace(model, tied_head=False), replace(model, tied_head=True)
    assert parameters(apart) - parameters(tied) == model.hidden * model.vocabulary
    assert head_parameters(tied) == model.head_bias
    assert forward_flop(apart, 9) == forward_flop(tied, 9)


@FEW
@given(model=models())
def test_a_plain_checkpoint_weighs_two_bytes_a_parameter(model):
    assert weight_bytes(model) == BF16_BYTES * parameters(model)
    assert weight_bytes(model, "fp32") == 2 * weight_bytes(model, "bf16") == 4 * weight_bytes(model, "fp8")


@FEW
@given(model=models(), tokens=tokens_of)
def test_a_state_does_not_grow_and_a_cache_is_no_state(model, tokens):
    for run in model.runs:
        alone = replace(model, runs=(run,))
        assert (state_bytes_per_sequence(alone) > 0) == (kv_bytes_per_sequence(alone, tokens) == 0)


@FEW
@given(core=cores(), tokens=tokens_of)
def test_an_attention_with_a_whole_triangle_is_just_over_half_the_square(core, tokens):
    if core.kind not in (CoreKind.SOFTMAX, CoreKind.LATENT):
        return
    plain = replace(core, window=None, selected=None)
    whole, half = core_flop(plain, tokens, False), core_flop(plain, tokens, True)
    assert half / whole == pytest.approx((tokens + 1) / (2 * tokens))


@FEW
@given(core=cores(), tokens=tokens_of)
def test_a_recurrent_core_does_not_care_for_masks(core, tokens):
    if core.kind in (CoreKind.LINEAR, CoreKind.STATE_SPACE):
        assert core_flop(core, tokens, False) == core_flop(core, tokens, True)
        assert core_flop(core, 2 * tokens, True) == 2 * core_flop(core, tokens, True)


@FEW
@given(core=cores(), tokens=tokens_of)
def test_a_window_as_long_as_the_sequence_is_no_window(core, tokens):
    if core.kind is CoreKind.SOFTMAX:
        free = replace(core, window=None, selected=None)
        assert core_flop(replace(free, window=tokens), tokens, True) == core_flop(free, tokens, True)
        assert core_flop(replace(free, selected=tokens), tokens, True) == core_flop(free, tokens, True)


@FEW
@given(core=cores(), tokens=tokens_of, window=some.integers(1, 5000), wider=some.integers(0, 5000))
def test_a_wider_window_is_never_less_work(core, tokens, window, wider):
    if core.kind is CoreKind.SOFTMAX:
        narrow = core_flop(replace(core, window=window), tokens, True)
        assert core_flop(replace(core, window=window + wider), tokens, True) >= narrow


@FEW
@given(core=cores(), tokens=tokens_of)
def test_twice_the_heads_are_twice_the_core(core, tokens):
    if core.kind is CoreKind.SOFTMAX:
        doubled = replace(core, heads=2 * core.heads)
        assert core_flop(doubled, tokens, True) == pytest.approx(2 * core_flop(core, tokens, True))


@pytest.mark.parametrize("name", NAMES)
def test_draft_layers_stand_apart_from_the_model(name):
    model = named_model(name)
    bare = replace(model, draft_runs=())
    assert parameters(bare) == parameters(model)
    assert forward_flop(bare, 10) == forward_flop(model, 10)
    assert (draft_parameters(model) > 0) == bool(model.draft_runs)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_a_packaged_model_is_finite_and_positive(name):
    model = named_model(name)
    figures = [parameters(model), active_parameters(model), forward_flop(model, 1), weight_bytes(model)]
    figures += [kv_bytes_per_sequence(model, 4096) + state_bytes_per_sequence(model)]
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    assert active_parameters(model) <= parameters(model)


@pytest.mark.parametrize("name", NAMES)
def test_every_matrix_of_a_packaged_model_is_whole(name):
    model = named_model(name)
    for run in (*model.runs, *model.draft_runs):
        assert run.count >= 1
        for matrix in run.layer.matrices:
            assert matrix.inputs >= 1
            assert matrix.outputs >= 1
            assert 0 < matrix.active <= matrix.copies
            assert matrix.bias in (0, matrix.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_one_role_holds_one_width_of_the_hidden_stream(name):
    """What enters a block reads the hidden width, and what leaves it writes the hidden width."""
    model = named_model(name)
    for run in model.runs:
        ins = {matrix.inputs for matrix in run.layer.matrices}
        outs = {matrix.outputs for matrix in run.layer.matrices}
        assert model.hidden in ins
        assert model.hidden in outs


@pytest.mark.parametrize("name", NAMES)
def test_experts_are_copies_as_many_as_the_layer_says(name):
    for run in named_model(name).runs:
        copies = {m.copies for m in run.layer.matrices if m.role in (Role.EXPERT_IN, Role.EXPERT_OUT)}
        active = {m.active for m in run.layer.matrices if m.role in (Role.EXPERT_IN, Role.EXPERT_OUT)}
        assert copies == ({run.layer.experts} if run.layer.experts else set())
        assert active == ({run.layer.experts_per_token} if run.layer.experts else set())


@pytest.mark.parametrize("name", VARIED)
@FEW
@given(tokens=some.integers(2, 200_000))
def test_the_mean_work_of_a_token_never_falls_with_its_context(name, tokens):
    model = named_model(name)
    shorter = forward_flop(model, tokens - 1, causal=True) / (tokens - 1)
    assert forward_flop(model, tokens, causal=True) / tokens >= shorter * (1 - 1e-12)


@pytest.mark.parametrize("name", VARIED)
def test_the_next_token_costs_what_the_difference_says(name):
    """A decode step at t is the pass over t less the pass over t - 1; matrices alone bound it from below."""
    model = named_model(name)
    matrices_alone = forward_flop(model, 1, causal=True)
    for tokens in (2, 100, 4097, 100_001):
        step = forward_flop(model, tokens, causal=True) - forward_flop(model, tokens - 1, causal=True)
        assert step >= matrices_alone * (1 - 1e-6)
