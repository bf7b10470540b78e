"""Causes that settings and the model's own sums show: what another setting is predicted to save, each told as such."""

from __future__ import annotations

from suanli.domain.training_log import Cause, CauseKind, CausePart
from suanli.foundation.language import tr
from suanli.report.layouts import training_words
from suanli.validation.logs.evidence import EXPOSED, Evidence, Rule

GIB = 2**30


def _saved(one: Evidence, what: str) -> float | None:
    """Return the seconds that a change is predicted to save; None where it was not tried or does not fit."""
    other = one.what_if.get(what)
    return None if other is None else one.gain(other)


def _if(what: str, name: str, check: str) -> Rule:
    """Return the rule of a setting that a change of it is predicted to better."""

    def rule(one: Evidence) -> Cause | None:
        seconds = _saved(one, what)
        if seconds is None:
            return None
        other = one.what_if[what]
        told = {
            "old": one.estimate.step_seconds, "new": other.step_seconds, "gib": other.memory_bytes / GIB,
            "room": other.capacity_bytes / GIB,
        }  # fmt: skip
        said = tr("predicted {new:.3g} s instead of {old:.3g} s, in {gib:.1f} of {room:.1f} GiB", **told)
        return one.cause(name, CausePart.LAYOUT, CauseKind.SETTING, seconds, said, _checks()[check])

    return rule


def _checks() -> dict[str, str]:
    return {
        "recompute": tr("turn recomputation off, or down to parts, for a few steps"),
        "attention": tr("a fused attention kernel: flash attention, or PyTorch's own"),
        "micro_batch": tr("a larger micro-batch with fewer accumulated, for a few steps"),
        "compile": tr("torch.compile for the layers"),
        "offload": tr("keep on the device what lives on the host"),
    }


def optimizer(one: Evidence) -> Cause | None:
    """Weigh an optimizer of many small kernels, which reads and writes everything several times over."""
    if one.said("fused_optimizer") is not False:
        return None
    seconds = one.step * one.share("optimizer") * (one.rules.unfused_passes - 1)
    told = {"factor": one.rules.unfused_passes}
    return one.cause(
        "unfused_optimizer", CausePart.LAYOUT, CauseKind.SETTING, seconds,
        tr("the optimizer's kernels are not fused: they move {factor:.1f} times the bytes", **told),
        tr("optim: adamw_torch_fused"),
    )  # fmt: skip


def launches(one: Evidence) -> Cause | None:
    """Tell kernels so small that the device waits for the host to start them."""
    share = one.share("launch")
    if share < one.rules.launch_share:
        return None
    return one.cause(
        "launch_bound", CausePart.LAYOUT, CauseKind.POSSIBLE, share * one.step,
        tr("launches take {share:.0%} of the predicted step", share=share),
        tr("larger micro-batches, torch.compile or CUDA graphs; a profile shows gaps between kernels"),
    )  # fmt: skip


def network(one: Evidence) -> Cause | None:
    """Weigh traffic that nothing hides: how slow would the network be if it were the gap."""
    exposed = one.share(*EXPOSED)
    if not one.slow or exposed < one.rules.exposed_share:
        return None
    slower = 1 + one.gap / (exposed * one.estimate.step_seconds)
    if slower > one.rules.slowest_network:
        return None
    return one.cause(
        "network", CausePart.STEP, CauseKind.POSSIBLE, one.gap,
        tr("{share:.0%} of the predicted step is traffic in the open; at 1/{slower:.1f} of its rate it is the gap",
           share=exposed, slower=slower),
        tr("nccl-tests over the same ranks; counters of the network's ports; NCCL_DEBUG=INFO for the paths taken"),
    )  # fmt: skip


def padding(one: Evidence) -> Cause | None:
    """Count what sequences of a fixed length carry beside tokens."""
    tokens, steps = one.log.tokens_seen, one.log.last_step
    fixed = one.said("packed") is True or one.said("padded") is True
    if not tokens or not steps or not fixed or one.said("useful_tokens") is not True:
        return None
    computed = float(steps * one.setup.global_batch * one.setup.sequence_tokens)
    share = 1 - tokens / computed
    if share < one.rules.padding_share:
        return None
    return one.cause(
        "padding", CausePart.LAYOUT, CauseKind.SEEN, share * one.step,
        tr("{share:.0%} of the tokens of a step are padding", share=share),
        tr("pack samples into sequences, or batch samples of like length"),
    )  # fmt: skip


def better_layout(one: Evidence) -> Cause | None:
    """Tell a layout that a search found to be faster by more than estimates tie."""
    if one.best is None or one.best.step_seconds > one.estimate.step_seconds * (1 - one.rules.search_share):
        return None
    told = {
        "layout": training_words(one.best.layout), "new": one.best.step_seconds, "old": one.estimate.step_seconds,
        "gib": one.best.memory_bytes / GIB,
    }  # fmt: skip
    return one.cause(
        "layout", CausePart.LAYOUT, CauseKind.POSSIBLE, one.gain(one.best),
        tr("predicted {new:.3g} s instead of {old:.3g} s as {layout}, in {gib:.1f} GiB", **told),
        tr("suanli train --search with the same job; a few steps of that layout"),
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _if("recompute none", "recomputation", "recompute"),
    _if("recompute selective", "recomputation", "recompute"),
    _if("attention flash", "unfused_attention", "attention"),
    _if("micro-batch 2", "small_micro_batch", "micro_batch"),
    _if("micro-batch 4", "small_micro_batch", "micro_batch"),
    _if("compiled", "not_compiled", "compile"),
    _if("offload none", "offloading", "offload"),
    optimizer, launches, network, padding, better_layout,
)  # fmt: skip
