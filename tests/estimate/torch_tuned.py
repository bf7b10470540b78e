"""Models of transformers with adapters of peft on tensors without storage: torch's own account of what tuning holds."""

import contextlib
import weakref
from dataclasses import dataclass
from unittest import mock

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

NF4_BYTES, SCALE_BLOCK, SCALE_BYTES, NESTED_BLOCK = 0.5, 64, 4, 256
"""bitsandbytes' layout of 4-bit weights: a 32-bit scale a block; nested, a byte and a 32-bit scale for each 256."""


OWN_ATTENTION = ("falcon",)
"""Families whose modules call torch's own fused attention by name, whatever is registered."""


class FusedCore(torch.autograd.Function):
    """Attention as a fused kernel holds it: queries, keys and values, the result, the logarithm of each row's sum."""

    @staticmethod
    def forward(ctx, query, key, value):
        result = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, result, torch.empty(query.shape[:-1], dtype=torch.float32))
        return result

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, _, _ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def fused_core(module, query, key, value, attention_mask, **kwargs):
    """Attend as flash attention does: heads behind positions, no mask of scores."""
    return FusedCore.apply(*(one.transpose(1, 2) for one in (query, key, value))), None


ALL_ATTENTION_FUNCTIONS.register("fused_core", fused_core)


def called_by_name(query, key, value, *args, **kwargs):
    """Stand in for torch's own function of fused attention."""
    return FusedCore.apply(query, key, value)


def built(config, adapters):
    """Make a model of transformers in 16 bits on the meta device, its adapters as peft makes them."""
    keys = {name: value for name, value in config.items() if name != "model_type"}
    read = CONFIG_MAPPING[config["model_type"]](**keys)
    read._attn_implementation = "sdpa" if config["model_type"] in OWN_ATTENTION else "fused_core"
    read.use_cache = False
    with torch.device("meta"):
        torch.set_default_dtype(torch.bfloat16)
        try:
            model = AutoModelForCausalLM.from_config(read)
        finally:
            torch.set_default_dtype(torch.float32)
        return get_peft_model(model, LoraConfig(**adapters)) if adapters else model


def without_storage(model):
    """Put every parameter and buffer of a model on a CPU that holds nothing; tied ones stay one."""
    seen = {}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, one in list(held.items()):
                if one is not None and id(one) not in seen:
                    empty = torch.empty(one.shape, dtype=one.dtype)
                    trained = isinstance(one, nn.Parameter)
                    seen[id(one)] = (one, nn.Parameter(empty, requires_grad=one.requires_grad) if trained else empty)
                if one is not None:
                    held[name] = seen[id(one)][1]
    return model


class Kept:
    """A saved tensor, which lives as long as autograd keeps it."""

    def __init__(self, tensor):
        self.tensor = tensor


class Account:
    """Bytes of distinct storages that autograd keeps, parameters and buffers of the model left out."""

    def __init__(self, model):
        own = (*model.parameters(), *model.buffers())
        self.own, self.alive = {one.untyped_storage()._cdata for one in own}, weakref.WeakSet()

    def pack(self, tensor):
        kept = Kept(tensor)
        self.alive.add(kept)
        return kept

    @property
    def sizes(self):
        """Bytes of each kept storage, and the shape of one tensor on it."""
        found = {one.tensor.untyped_storage()._cdata: one.tensor for one in self.alive}
        return {key: (one.untyped_storage().nbytes(), tuple(one.shape), one.dtype) for key, one in found.items()
                if key not in self.own}  # fmt: skip

    @property
    def bytes(self):
        return sum(size for size, _, _ in self.sizes.values())


@dataclass(frozen=True)
class Held:
    """Torch's bytes by cause: weights (quantised ones as bitsandbytes stores them), gradients, AdamW's, activations."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    trained: int

    @property
    def whole(self):
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits


def stored(elements, nested):
    """Bytes of a quantised matrix."""
    scales = -(-elements // SCALE_BLOCK)
    each = scales * SCALE_BYTES if not nested else scales + -(-scales // NESTED_BLOCK) * SCALE_BYTES
    return elements * NF4_BYTES + each


def quantised(name, one):
    """Say whether 4-bit tuning packs a frozen parameter: every matrix of a layer but tables, head and routers."""
    outer = ("embed", "lm_head", "wte", "wpe", "gate.weight", "router")
    return one.dim() >= 2 and not one.requires_grad and not any(word in name for word in outer)


def weight_bytes(model, form):
    """Bytes of all parameters as they are stored: each once, frozen matrices in 4 bits where a form is told."""
    total = 0.0
    for name, one in model.named_parameters():
        packed = form is not None and quantised(name, one)
        total += stored(one.numel(), form == "nf4-dq") if packed else one.numel() * one.element_size()
    return total


def held(config, adapters=None, form=None, tokens=1024, batch=1, again=False):
    """Run one forward pass as Trainer does in mixed precision and count what training holds at the loss."""
    meta = built(config, adapters)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = without_storage(meta).train()
        if again:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        account = Account(model)
        ids = torch.randint(0, 100, (batch, tokens))
        mixed = torch.autocast("cpu", torch.bfloat16) if adapters else contextlib.nullcontext()
        hooks = torch.autograd.graph.saved_tensors_hooks(account.pack, lambda kept: kept.tensor)
        named = mock.patch("torch.nn.functional.scaled_dot_product_attention", called_by_name)
        with mixed, hooks, named:
            result = model(input_ids=ids, labels=ids, use_cache=False)
        sizes = account.sizes.values()
        vocabulary = result.logits.shape[-1]
        copies = {tuple(one.shape) for one in model.parameters() if one.requires_grad} if adapters else set()
        of_copies = sum(size for size, shape, kind in sizes if kind is torch.bfloat16 and {shape, shape[::-1]} & copies)
        of_logits = sum(size for size, shape, _ in sizes if shape and shape[-1] == vocabulary)
        whole = sum(size for size, _, _ in sizes)
        moved = [one for one in model.parameters() if one.requires_grad]
        trained = sum(one.numel() for one in moved)
        own = sum(one.numel() * one.element_size() for one in moved)
        return Held(
            weights=weight_bytes(model, form) + of_copies,
            gradients=own,
            optimizer=2 * own,
            activations=whole - of_logits - of_copies,
            logits=of_logits,
            trained=trained,
        )
