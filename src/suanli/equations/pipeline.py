"""Time of a training step from its parts: stages, idle time, hidden traffic, launch-bound layers, stragglers."""

from __future__ import annotations

import numpy as np

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="narayanan2021")
def micro_batches(global_batch: Real, data: Real, micro_batch: Real) -> Real:
    """Micro-batches that one replica works through in a step.

    m = B / (d b); a last micro-batch that is smaller counts for its share. Source: narayanan2021.

    >>> float(micro_batches(512.0, 8.0, 4.0))
    16.0
    """
    return global_batch / (data * micro_batch)


@equation(unit="1", source="narayanan2021")
def fullest_stage_layers(layers: Real, pipeline: Real, interleave: Real) -> Real:
    """Layers on the fullest pipeline stage.

    n = v ceil(L / (p v)). Source: narayanan2021.

    >>> float(fullest_stage_layers(70.0, 12.0, 1.0))
    6.0
    """
    return interleave * np.ceil(layers / (pipeline * interleave))


@equation(unit="1", source="narayanan2021")
def last_stage_layers(layers: Real, pipeline: Real, interleave: Real) -> Real:
    """Layers on the last stage, which also carries the head: the stage that an uneven split relieves.

    n' = max(L - (p - 1) n, 0) with n the fullest stage's layers: full stages first, the last one has the rest.
    Source: narayanan2021.

    >>> float(last_stage_layers(70.0, 12.0, 1.0))
    4.0
    """
    fullest = interleave * np.ceil(layers / (pipeline * interleave))
    return np.maximum(layers - (pipeline - 1) * fullest, 0)


@equation(unit="s", source="narayanan2021")
def slowest_stage_seconds(
    layer_seconds: Real, fullest_layers: Real, last_layers: Real, first_extra_seconds: Real, last_extra_seconds: Real
) -> Real:
    """Time of one micro-batch on the slowest stage: a full stage, or the last one with head and loss.

    t = max(n t_layer + t_first, n' t_layer + t_last); with one stage both extras fall on it.
    Source: narayanan2021.

    >>> float(slowest_stage_seconds(1.0, 6.0, 5.0, 0.0, 2.0))
    7.0
    """
    return np.maximum(
        fullest_layers * layer_seconds + first_extra_seconds, last_layers * layer_seconds + last_extra_seconds
    )


@equation(unit="s", source="narayanan2021")
def bubble_seconds(all_stages_seconds: Real, slowest_stage_seconds: Real, interleave: Real) -> Real:
    """Idle time of the fill and drain of a 1F1B pipeline: one micro-batch passes every stage but the slowest once.

    t = (T - S) / v; with p even stages of t it is (p - 1) t / v.

    `all_stages_seconds` T is forward and backward of one micro-batch over all stages, hand-over included, S the slowest
    stage's part of it; interleaving v chunks a stage divides the idle time. Source: narayanan2021.

    >>> float(bubble_seconds(8.0, 2.0, 2.0))
    3.0
    """
    return (all_stages_seconds - slowest_stage_seconds) / interleave


@equation(unit="s", source="narayanan2021")
def lighter_end_seconds(
    slowest_stage_seconds: Real, last_stage_seconds: Real, longer_way_seconds: Real, micro_batches: Real
) -> Real:
    """Idle time that 1F1B saves where the last stage is lighter than the full ones before it.

    t = min(max(S - max(S', w), 0), S') for m > 1 micro-batches, else nothing.

    Every stage but the last runs ahead of its first backward pass, so one of the m - 1 micro-batches behind the first
    is paced by the last stage alone, or by the longer way through a full one. S and S' are a micro-batch on a full
    stage and on the last, w the longer of forward and backward on a full stage; where the last is slowest nothing is
    saved. Source: narayanan2021, the longest path through its schedule; exact for full stages that are alike.

    >>> float(lighter_end_seconds(3.0, 1.0, 2.0, 8.0)), float(lighter_end_seconds(3.0, 3.5, 2.0, 8.0))
    (1.0, 0.0)
    """
    paced = np.maximum(last_stage_seconds, longer_way_seconds)
    several = np.minimum(np.ceil(np.maximum(micro_batches - 1, 0)), 1)
    saved: Real = np.minimum(np.maximum(slowest_stage_seconds - paced, 0 * paced), last_stage_seconds) * several
    return saved


@equation(unit="s", source="qi2023")
def zero_bubble_seconds(
    forward_seconds: Real,
    input_seconds: Real,
    own_forward_seconds: Real,
    own_weight_seconds: Real,
    pipeline: Real,
    micro_batches: Real,
    weights_put_off: Real,
) -> Real:
    """Idle time of a pipeline that puts gradients of weights off (zb-h1, zb-h2): they fill what would be idle.

    t = max(F + B - min(d (p - 1), m - 1) min(w, f), 0); with even stages zb-h1 (d = 1) idles (p - 1)(f + b - w), zb-h2
    (d = 2) idles (p - 1)(f + b - 2 w).

    F and B are forward and gradients of inputs of one micro-batch over all stages but the slowest, f and w the forward
    pass and the weight gradients of the slowest, d how many micro-batches later each stage takes its weight gradients
    than the stage before. What is longer than the forward pass it makes room for fills no more; of m micro-batches no
    more than m - 1 can be put off. Source: qi2023, table 2; the two bounds are exact for even stages.

    >>> [float(zero_bubble_seconds(3.0, 3.0, 1.0, 1.0, 4.0, 8.0, later)) for later in (0.0, 1.0, 2.0)]
    [6.0, 3.0, 0.0]
    """
    filling = np.minimum(weights_put_off * (pipeline - 1), micro_batches - 1)
    idle = forward_seconds + input_seconds - filling * np.minimum(own_weight_seconds, own_forward_seconds)
    return np.maximum(idle, 0 * idle)


@equation(unit="s", source="qi2023")
def v_bubble_seconds(
    forward_seconds: Real,
    input_seconds: Real,
    own_forward_seconds: Real,
    own_weight_seconds: Real,
    pipeline: Real,
    micro_batches: Real,
) -> Real:
    """Idle time of a pipeline whose path turns back at the last stage (zb-v), two chunks a stage.

    t = max(F + B - x min(F, B) - y w, (p - 1)(w - f) / 2, 0) with y = min(max(m - p, 0), p - 1) micro-batches behind
    the first p, and x = min((m - 1) / (p - 1), 1). From 2 p - 1 micro-batches on even stages idle
    (p - 1)(max(f, b) - w), nothing where all three take equally long.

    Arguments as of `zero_bubble_seconds`. Source: qi2023, section 6; times that differ were read off the schedule.

    >>> float(v_bubble_seconds(3.0, 3.0, 1.0, 1.0, 4.0, 8.0)), float(v_bubble_seconds(3.0, 4.5, 1.0, 0.5, 4.0, 8.0))
    (0.0, 3.0)
    """
    others = pipeline - 1
    first = np.minimum((micro_batches - 1) / np.maximum(others, 1), 1)
    second = np.minimum(np.maximum(micro_batches - pipeline, 0), others)
    idle = forward_seconds + input_seconds - first * np.minimum(forward_seconds, input_seconds)
    longer = others * (own_weight_seconds - own_forward_seconds) / 2
    return np.maximum(np.maximum(idle - second * own_weight_seconds, longer), 0 * idle)


@equation(unit="s", source="deepseek2024v3")
def dualpipe_bubble_seconds(
    forward_seconds: Real,
    input_seconds: Real,
    weight_seconds: Real,
    own_seconds: Real,
    own_turn_seconds: Real,
    pipeline: Real,
) -> Real:
    """Idle time of a pipeline that micro-batches enter at both ends (DualPipe).

    t = max((p / 2 - 1) a - max(2 p (S - s) - 4 (A - a), 0), (p / 2 - 1)(max(f, b) - w), 0) with s = f + b + w and
    a = max(f + 2 b - w, 2 f). The source writes (p / 2 - 1)(F&B + B' - 3 W) for even stages, which is (p / 2 - 1) a:
    F&B = f + B' is one chunk forward and one backward together, B' = b + w the whole backward pass.

    f, b and w are forward, gradients of inputs and of weights of one micro-batch on a stage in the middle, S all of it
    and A = F + 2 B - W on the slowest stage: heavier ends wait less for a middle that is ahead of them.
    Source: deepseek2024v3, table 2; the terms of uneven stages were read off the schedule.

    >>> float(dualpipe_bubble_seconds(1.0, 1.0, 1.0, 3.0, 2.0, 4.0))
    2.0
    """
    turn = np.maximum(forward_seconds + 2 * input_seconds - weight_seconds, 2 * forward_seconds)
    longer = own_seconds - (forward_seconds + input_seconds + weight_seconds)
    ahead = np.maximum(2 * pipeline * longer - 2 * 2 * (own_turn_seconds - turn), 0 * longer)
    least = np.maximum(np.maximum(forward_seconds, input_seconds) - weight_seconds, 0 * longer)
    inside: Real = np.maximum(pipeline / 2 - 1, 0)
    return np.maximum(inside * turn - ahead, inside * least)


@equation(unit="1", source="narayanan2021")
def stage_hops(pipeline: Real, interleave: Real, ends: Real) -> Real:
    """How often one stage hands on for a micro-batch: forward and backward for each chunk, at an end one time less.

    h = 2 v - e for p > 1 stages, else nothing; e is 1 for the first and the last stage. Source: narayanan2021.

    >>> float(stage_hops(4.0, 2.0, 0.0)), float(stage_hops(4.0, 2.0, 1.0)), float(stage_hops(1.0, 1.0, 0.0))
    (4.0, 3.0, 0.0)
    """
    return np.minimum(pipeline - 1, 1) * (2 * interleave - ends)


@equation(unit="s", source="rajbhandari2020")
def exposed_seconds(transfer_seconds: Real, cover_seconds: Real, hidden_share: Real) -> Real:
    """Time that a transfer adds when part of it hides under other work.

    t = max(T - eta C, (1 - eta) T): a share eta of the covering work can hide traffic, and never more than a share
    eta of the traffic hides. Source: rajbhandari2020.

    >>> float(exposed_seconds(1.0, 0.5, 1.0)), float(exposed_seconds(1.0, 10.0, 0.75))
    (0.5, 0.25)
    """
    return np.maximum(transfer_seconds - hidden_share * cover_seconds, (1 - hidden_share) * transfer_seconds)


@equation(unit="s", source="deepseek2024v3")
def paired_exposed_seconds(transfer_seconds: Real, cover_seconds: Real, traffic_units: Real) -> Real:
    """Time that traffic adds when a chunk that goes the other way works meanwhile, on the compute units that are left.

    t = max(T - C, 0) + x / (1 - x) min(T, C): while both go on, a share x of the units sends and receives, and the work
    of that while takes 1 / (1 - x) times as long. Source: deepseek2024v3, section 3.2.

    >>> paired_exposed_seconds(1.0, 4.0, 0.2), paired_exposed_seconds(6.0, 4.0, 0.0)
    (0.25, 2.0)
    """
    together = np.minimum(transfer_seconds, cover_seconds)
    return transfer_seconds - together + traffic_units / (1 - traffic_units) * together


@equation(unit="s", source="vtrain2024")
def launch_bound_seconds(launches: Real, launch_seconds: Real, device_seconds: Real) -> Real:
    """Time that waiting for the host adds to a layer: launches run beside the device, so the longer of the two counts.

    t = max(k t_launch - T, 0). Source: vtrain2024.

    >>> float(launch_bound_seconds(100.0, 1.0, 60.0)), float(launch_bound_seconds(100.0, 1.0, 160.0))
    (40.0, 0.0)
    """
    return np.maximum(launches * launch_seconds - device_seconds, 0 * device_seconds)


@equation(unit="1", source="vtrain2024")
def lockstep_slowdown(ranks: Real, node_accelerators: Real, whole_node_slowdown: Real) -> Real:
    """Factor by which launches take longer where many processes of one node march in step and wait for the slowest.

    f = 1 + c (t / n)^2: t tensor ranks among the n accelerators of a node, c for all of them. Source: vtrain2024.

    >>> lockstep_slowdown(4.0, 8.0, 0.5), lockstep_slowdown(8.0, 8.0, 0.5)
    (1.125, 1.5)
    """
    return 1 + whole_node_slowdown * (ranks / node_accelerators) ** 2


@equation(unit="1", source="jiang2024")
def straggler_slowdown(nodes: Real, slowdown_per_doubling: Real) -> Real:
    """Factor by which the slowest of many nodes holds up a step.

    f = 1 + x log2(n): the expected worst of n draws grows about with the logarithm. Source: jiang2024.

    >>> round(float(straggler_slowdown(8.0, 0.01)), 6)
    1.03
    """
    return 1 + slowdown_per_doubling * np.log2(nodes)


@equation(unit="1", source="narayanan2021")
def model_flop_utilisation(model_flop: Real, accelerators: Real, peak_flop_per_s: Real, step_seconds: Real) -> Real:
    """Share of the cluster's peak that the model's own arithmetic takes, recomputation left out.

    u = F / (n P t). Source: narayanan2021.

    >>> float(model_flop_utilisation(1e15, 10.0, 1e14, 2.0))
    0.5
    """
    return model_flop / (accelerators * peak_flop_per_s * step_seconds)
