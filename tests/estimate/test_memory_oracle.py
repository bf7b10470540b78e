"""Memory by cause held against torch's own account of real small transformers: autograd, AdamW, FSDP2's tracker.

    pytest tests/estimate/test_memory_oracle.py -m oracle -s

prints the agreement of every cause.
"""

import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.estimate.kept import Keeping, layer_position_bytes
from suanli.estimate.memory import memory_columns
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.parts.architectures.count import parameters
from suanli.parts.architectures.read import read_model

pytestmark = pytest.mark.oracle

KINDS = ("llama", "gpt", "mixture")
BATCH, LENGTH, RANKS = 2, 256, 4
TOKENS = BATCH * LENGTH
EAGER = CALIBRATION.software["torch_eager"]
FULL, KEPT = Recompute.FULL, Recompute.NONE


def torch_models():
    pytest.importorskip("torch")
    from tests.estimate import torch_models

    return torch_models


def shape_of(kind):
    made = torch_models()
    return {"llama": made.LLAMA, "gpt": made.GPT, "mixture": made.MIXTURE}[kind]


def model_of(kind):
    """Read the same transformer as a config of its family."""
    shape = shape_of(kind)
    config = {
        "hidden_size": shape.hidden, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "intermediate_size": shape.inner, "vocab_size": shape.vocabulary,
        "tie_word_embeddings": False,
    }  # fmt: skip
    family = {
        "llama": {"model_type": "llama"},
        "gpt": {"model_type": "gpt_neox", "use_parallel_residual": False},
        "mixture": {
            "model_type": "mixtral", "num_local_experts": shape.experts, "num_experts_per_tok": shape.active,
        },
    }[kind]  # fmt: skip
    return read_model({**config, **family}, kind)


def told(kind, ranks, recompute=KEPT):
    """Our bytes by cause of one rank that shards the model over so many, two sequences at once."""
    setup = setup_of(model_of(kind), sequence=LENGTH, batch=BATCH * ranks, framework="torch_eager")
    job = job_of(setup, open_machine(cluster_of(1), KERNELS))
    layout = Layout(data=ranks, micro_batch=BATCH, sharding=Sharding.FULL, recompute=recompute)
    found = memory_columns(setup, job, EAGER, to_table([layout]))
    return {name: float(one[0]) for name, one in found.causes.items()}


def agree(what, ours, torchs, within):
    print(f"{what}: {ours / torchs - 1:+.2%}")
    assert ours == pytest.approx(torchs, rel=within), what


def tokens():
    import torch

    return torch.randint(0, shape_of("llama").vocabulary, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_the_module(kind):
    model = torch_models().Language(shape_of(kind))
    own = sum(one.numel() for one in model.parameters())
    agree(f"{kind} parameters", parameters(model_of(kind)), own, 0.003)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_keep_what_autograd_saves(kind):
    shape, layer = shape_of(kind), model_of(kind).runs[0].layer
    for trained in (True, False):
        keeping = Keeping(eager=True, trained=trained)
        whole, split, _ = layer_position_bytes(layer, shape.hidden, keeping)
        saved = torch_models().saved_by_layers(shape, tokens(), frozen=not trained)
        word = "trained" if trained else "frozen"
        agree(f"{kind} activations, {word}", TOKENS * shape.layers * (whole + split), saved, 0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_checkpointed_layers_keep_their_inputs(kind):
    shape = shape_of(kind)
    saved = torch_models().saved_by_layers(shape, tokens(), again=True)
    agree(f"{kind} activations, checkpointed", told(kind, 1, FULL)["activations"], saved, 0.001)


@pytest.mark.parametrize("kind", ["llama", "mixture", "gpt"])
def test_layers_of_transformers_keep_about_as_much(kind):
    """Other people's modules, which copy more or less than the plainest ones: within a fifth."""
    pytest.importorskip("transformers")
    layer, shape = model_of(kind).runs[0].layer, shape_of(kind)
    whole, split, _ = layer_position_bytes(layer, shape.hidden, Keeping(eager=True))
    saved = torch_models().saved_by_transformers(kind, shape, tokens())
    agree(f"{kind} activations, transformers' modules", TOKENS * (whole + split), saved, 0.2)


@pytest.mark.parametrize(("kind", "recompute"), [("llama", KEPT), ("llama", FULL), ("gpt", KEPT), ("mixture", KEPT)])
def test_a_fully_sharded_rank_holds_what_torch_s_tracker_says(kind, recompute):
    ours, shape = told(kind, RANKS, recompute), shape_of(kind)
    track = torch_models().tracked_sharded_step(shape, tokens(), RANKS, again=recompute is FULL)
    peak = track.peak
    agree(f"{kind} weights", ours["weights"], peak["SHARDED_PARAM"], 0.005)
    agree(f"{kind} gradients", ours["gradients"], peak["SHARDED_GRAD"], 0.005)
    agree(f"{kind} optimizer", ours["optimizer"], peak["OPT"], 0.005)
    live = peak["ACT"] + peak["TEMP"]
    agree(f"{kind} activations and logits at the loss", ours["activations"] + ours["logits"], live, 0.05)
    tables = 2 * shape.vocabulary * shape.hidden * 2
    assert peak["UNSHARDED_PARAM"] == pytest.approx(tables, rel=0.005), "at the loss the tables alone are gathered"
    assert ours["buffers"] >= peak["UNSHARDED_PARAM"]
    whole = sum(ours[name] for name in ("weights", "gradients", "optimizer", "activations", "logits")) + tables
    agree(f"{kind} peak, gathered tables counted", whole, peak["Total"], 0.03)


def test_gathered_layers_and_their_gradients_are_the_buffers():
    """In the backward pass two layers stand gathered beside the tables, each with its gradient: ours is no less."""
    ours = told("llama", RANKS)["buffers"]
    track = torch_models().tracked_sharded_step(shape_of("llama"), tokens(), RANKS)
    assert track.most_gathered <= ours
    print(f"llama buffers: {ours / track.most_gathered - 1:+.2%} over the most that torch gathers at once")
