"""Small jobs to train: models of a few layers, clusters of a few nodes."""

from dataclasses import replace

from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.hardware import Cluster
from suanli.domain.model import Core, CoreKind, Layer, LayerRun, Matrix, Model, Role
from suanli.domain.workload import TrainingSetup
from suanli.estimate.evaluate import ask, evaluate
from suanli.estimate.software import load_training_calibration
from suanli.estimate.step import open_machine

KERNELS = load_kernels()
CALIBRATION = load_training_calibration()


def feed(hidden, inner, experts=0, active=1.0):
    """Make a plain MLP, or as many copies of it as there are experts."""
    if not experts:
        return (
            Matrix(name="mlp_in", role=Role.MLP_IN, inputs=hidden, outputs=inner),
            Matrix(name="mlp_out", role=Role.MLP_OUT, inputs=inner, outputs=hidden),
        )
    return (
        Matrix(name="expert_in", role=Role.EXPERT_IN, inputs=hidden, outputs=inner, copies=experts, active=active),
        Matrix(name="expert_out", role=Role.EXPERT_OUT, inputs=inner, outputs=hidden, copies=experts, active=active),
    )


def small_model(layers=8, hidden=1024, heads=16, vocabulary=32000, experts=0, active=1):
    """Make a dense model, or one of experts, with tied tables."""
    width = hidden // heads
    layer = Layer(
        name="block",
        core=Core(kind=CoreKind.SOFTMAX, heads=heads, kv_heads=heads, qk_head_dim=width, v_head_dim=width),
        matrices=(
            Matrix(name="qkv", role=Role.ATTENTION_IN, inputs=hidden, outputs=3 * hidden),
            Matrix(name="out", role=Role.ATTENTION_OUT, inputs=hidden, outputs=hidden),
            *feed(hidden, 4 * hidden, experts, float(active)),
        ),
        vector_parameters=2 * hidden,
        experts=experts,
        experts_per_token=active if experts else 0,
        gated=False,
    )
    return Model(
        name="small", family="gpt", hidden=hidden, vocabulary=vocabulary, runs=(LayerRun(layer=layer, count=layers),),
        embedding_parameters=vocabulary * hidden, tied_head=True, head_bias=0, final_vector_parameters=hidden,
        max_positions=None, dtype="bfloat16",
    )  # fmt: skip


def setup_of(model=None, sequence=2048, batch=64, **fields):
    """Make a training setup with short names."""
    return TrainingSetup(
        model=model or small_model(),
        sequence_tokens=sequence,
        global_batch=batch,
        framework=fields.pop("framework", "megatron_core"),
        **fields,
    )


def cluster_of(nodes=1, name="dgx-a100-640"):
    return Cluster(system=system(name), nodes=nodes)


def question_of(setup=None, nodes=1, name="dgx-a100-640", accelerators=None, margin=0.0):
    machine = open_machine(cluster_of(nodes, name), KERNELS, accelerators)
    return ask(setup or setup_of(), machine, CALIBRATION, margin)


def weighed(table, setup=None, nodes=1, name="dgx-a100-640"):
    """Evaluate a table on a cluster."""
    return evaluate(question_of(setup, nodes, name), table)


def with_device(cluster, **figures):
    """Return the same cluster with figures of its accelerator scaled by factors."""
    accelerator = cluster.system.accelerator
    peak = figures.pop("peak", 1.0)
    changed = {name: replace(getattr(accelerator, name), value=getattr(accelerator, name).value * factor)
               for name, factor in figures.items()}  # fmt: skip
    peaks = {kind: replace(one, value=one.value * peak) for kind, one in accelerator.peak_flop_per_s.items()}
    ceiling = accelerator.matmul_ceiling_flop_per_s
    scaled = replace(ceiling, value=ceiling.value * peak) if ceiling else None
    made = replace(accelerator, peak_flop_per_s=peaks, matmul_ceiling_flop_per_s=scaled, **changed)
    return replace(cluster, system=replace(cluster.system, accelerator=made))


def with_links(cluster, inside=1.0, outside=1.0):
    """Return the same cluster with links inside and network outside scaled by factors."""
    link, network = cluster.system.link, cluster.system.scale_out_bytes_per_s
    faster = replace(link, bytes_per_s=replace(link.bytes_per_s, value=link.bytes_per_s.value * inside))
    wider = replace(network, value=network.value * outside)
    return replace(cluster, system=replace(cluster.system, link=faster, scale_out_bytes_per_s=wider))
