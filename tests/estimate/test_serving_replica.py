"""What each accelerator holds: parameters are conserved over ranks, products are fused as engines fuse them."""

import pytest
from tests.estimate.replicas import DEEPSEEK, LLAMA, LLAMA_70B, MIXTURE, replica, small_mixture, small_model

from suanli.domain.model import CoreKind, Role
from suanli.domain.workload import ServingLayout
from suanli.estimate.serving_replica import cache_ways, matrix_format

EXPERTS = (Role.EXPERT_IN, Role.EXPERT_OUT)


def held(one, layer, roles=None):
    """Count parameters of a layer's products on one accelerator."""
    return sum(
        product.inner * product.columns * product.copies / (one.layout.expert if product.role in EXPERTS else 1)
        for product in one.products(layer)
        if roles is None or product.role in roles
    )


def stored(layer, roles=None):
    """Count parameters of a layer's matrices."""
    return sum(
        matrix.inputs * matrix.outputs * matrix.copies
        for matrix in layer.matrices
        if roles is None or matrix.role in roles
    )


@pytest.mark.parametrize("model", [LLAMA, LLAMA_70B, MIXTURE])
def test_one_accelerator_holds_every_matrix(model):
    one = replica(model)
    for run in one.setup.model.runs:
        assert held(one, run.layer) == pytest.approx(stored(run.layer))


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_feed_forward_matrices_are_shared_out_exactly(degree):
    one = replica(LLAMA_70B, layout=ServingLayout(tensor=degree))
    roles = (Role.MLP_IN, Role.MLP_OUT)
    for run in one.setup.model.runs:
        assert degree * held(one, run.layer, roles) == stored(run.layer, roles)


@pytest.mark.parametrize(
    "layout",
    [
        ServingLayout(tensor=8),
        ServingLayout(tensor=8, expert=8),
        ServingLayout(tensor=8, expert=4),
        ServingLayout(attention_data=8, expert=8),
        ServingLayout(tensor=2, attention_data=4, expert=8),
    ],
)
def test_experts_are_shared_out_exactly_however_they_are_split(layout):
    one = replica(MIXTURE, layout=layout)
    for run in one.setup.model.runs:
        assert 8 * held(one, run.layer, EXPERTS) == pytest.approx(stored(run.layer, EXPERTS))


def test_data_parallel_attention_repeats_attention_on_every_rank():
    one = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(attention_data=8, expert=8), weight_format="fp8")
    roles = (Role.ATTENTION_IN, Role.ATTENTION_OUT)
    for run in one.setup.model.runs:
        assert held(one, run.layer, roles) == stored(run.layer, roles)


def test_what_makes_a_latent_is_whole_on_every_tensor_rank():
    one = replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8")
    layer = one.setup.model.runs[0].layer
    entering = [
        product for product in one.products(layer) if product.inner == 7168 and product.role is Role.ATTENTION_IN
    ]
    assert sum(product.columns for product in entering) == 1536 + 576


def test_few_key_value_heads_are_repeated_over_many_ranks():
    one = replica(small_model(num_key_value_heads=2), layout=ServingLayout(tensor=8))
    layer = one.setup.model.runs[0].layer
    entering = next(product for product in one.products(layer) if product.role is Role.ATTENTION_IN)
    assert entering.columns == 1024 / 8 + 2 * 64


@pytest.mark.parametrize(("heads", "tensor", "ways"), [(8, 1, 1), (8, 4, 4), (8, 8, 8), (4, 8, 4)])
def test_a_cache_is_split_by_key_value_heads_at_most(heads, tensor, ways):
    core = small_model(num_key_value_heads=heads).runs[0].layer.core
    assert cache_ways(core, tensor) == ways


def test_a_latent_cache_is_never_split():
    core = (
        replica(DEEPSEEK, "H200-SXM", layout=ServingLayout(tensor=8), weight_format="fp8")
        .setup.model.runs[0]
        .layer.core
    )
    assert core.kind is CoreKind.LATENT
    assert cache_ways(core, 8) == 1


def test_matrices_of_one_role_and_input_are_one_product():
    one = replica()
    roles = [product.role for product in one.products(one.setup.model.runs[0].layer)]
    assert roles.count(Role.ATTENTION_IN) == roles.count(Role.MLP_IN) == 1


def test_a_router_stays_in_sixteen_bits():
    one = replica(small_mixture(), weight_format="fp8")
    formats = {product.role: product.number_format for product in one.products(one.setup.model.runs[0].layer)}
    assert formats[Role.ROUTER] == "bf16"
    assert formats[Role.EXPERT_IN].startswith("fp8")


def test_a_checkpoint_in_one_format_alone_is_served_in_it():
    one = replica("openai/gpt-oss-120b", layout=ServingLayout(tensor=2), weight_format="nvfp4")
    assert one.scheme.name == "mxfp4"


def test_what_a_checkpoint_leaves_whole_stays_whole():
    one = replica("openai/gpt-oss-120b", layout=ServingLayout(tensor=2), weight_format="mxfp4")
    layer = one.setup.model.runs[0].layer
    kept = {matrix.role: matrix_format(one, matrix, False) for matrix in layer.matrices}
    assert kept[Role.ATTENTION_IN] == "bf16"
    assert kept[Role.EXPERT_IN] == "mxfp4"


@pytest.mark.parametrize(
    ("layout", "group", "expert_tensor"),
    [
        (ServingLayout(), 1, 1.0),
        (ServingLayout(tensor=8), 8, 8.0),
        (ServingLayout(tensor=8, expert=2), 8, 4.0),
        (ServingLayout(attention_data=4, expert=4), 4, 1.0),
    ],
)
def test_a_group_is_tensor_times_data_and_experts_split_what_is_left(layout, group, expert_tensor):
    one = replica(MIXTURE, layout=layout)
    assert one.group == group
    assert one.expert_tensor == expert_tensor


def test_pipeline_stages_stall_each_other_a_little():
    busy = [replica(layout=ServingLayout(pipeline=stages)).at_once for stages in (1, 2, 4, 8)]
    assert busy[0] == 1.0
    assert busy == sorted(busy)
    assert all(one <= stages for one, stages in zip(busy, (1, 2, 4, 8), strict=True))
