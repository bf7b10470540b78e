"""Small transformers of plain torch modules, and what autograd saves of them: torch's own account of memory."""

import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention, silu
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Shape:
    """Widths of a small transformer; `experts` of 0 is a dense one."""

    gated: bool = True
    hidden: int = 256
    heads: int = 8
    kv_heads: int = 4
    inner: int = 704
    layers: int = 4
    vocabulary: int = 8000
    experts: int = 0
    active: int = 2


LLAMA = Shape()
GPT = Shape(gated=False, kv_heads=8, inner=1024)
MIXTURE = Shape(inner=352, experts=8)


def rotated(x, cos, sin):
    """Turn pairs of a head's halves."""
    one, other = x.chunk(2, -1)
    return x * cos + torch.cat((-other, one), -1) * sin


class Feed(nn.Module):
    """A feed-forward block, gated by SiLU or with GELU between two products."""

    def __init__(self, shape):
        super().__init__()
        self.up, self.down = (
            nn.Linear(shape.hidden, shape.inner, bias=False),
            nn.Linear(shape.inner, shape.hidden, bias=False),
        )
        self.gate = nn.Linear(shape.hidden, shape.inner, bias=False) if shape.gated else None

    def forward(self, x):
        return self.down(silu(self.gate(x)) * self.up(x) if self.gate is not None else gelu(self.up(x)))


class Experts(nn.Module):
    """Experts that tokens are sorted to, each token to `active` of them."""

    def __init__(self, shape):
        super().__init__()
        self.active = shape.active
        self.router = nn.Linear(shape.hidden, shape.experts, bias=False)
        self.experts = nn.ModuleList(Feed(shape) for _ in range(shape.experts))

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        weights, chosen = self.router(flat).softmax(-1).topk(self.active)
        order = chosen.reshape(-1).argsort()
        counts = chosen.reshape(-1).bincount(minlength=len(self.experts)).tolist()
        parts = flat[order // self.active].split(counts)
        done = torch.cat([expert(part) for expert, part in zip(self.experts, parts, strict=True)])
        back = done[order.argsort()].view(*chosen.shape, -1)
        return (back * weights[..., None]).sum(-2).view_as(x)


class Block(nn.Module):
    """One layer: norm, fused attention with rotary positions where gated, norm, feed-forward."""

    def __init__(self, shape):
        super().__init__()
        hidden, width = shape.hidden, shape.hidden // shape.heads
        norm = nn.RMSNorm if shape.gated else nn.LayerNorm
        self.width, self.rotary = width, shape.gated
        self.before_attention, self.before_feed = norm(hidden), norm(hidden)
        self.query = nn.Linear(hidden, shape.heads * width, bias=False)
        self.key, self.value = (nn.Linear(hidden, shape.kv_heads * width, bias=False) for _ in range(2))
        self.out = nn.Linear(hidden, hidden, bias=False)
        self.feed = Experts(shape) if shape.experts else Feed(shape)

    def forward(self, x, cos, sin):
        batch, length, hidden = x.shape
        y = self.before_attention(x)
        q, k, v = (m(y).view(batch, length, -1, self.width).transpose(1, 2) for m in (self.query, self.key, self.value))
        if self.rotary:
            q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=k.shape[1] != q.shape[1])
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, hidden))
        return x + self.feed(self.before_feed(x))


class Language(nn.Module):
    """Embedding, layers, norm and an untied head."""

    def __init__(self, shape, again=False):
        super().__init__()
        self.shape, self.again = shape, again
        self.embedding = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = (nn.RMSNorm if shape.gated else nn.LayerNorm)(shape.hidden)
        self.head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)

    def forward(self, tokens):
        width = self.shape.hidden // self.shape.heads
        cos, sin = torch.ones(2, tokens.shape[1], width, dtype=torch.bfloat16)
        x = self.embedding(tokens)
        for layer in self.layers:
            run = partial(checkpoint, layer, use_reentrant=False) if self.again else layer
            with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
                x = run(x, cos, sin)
        return self.head(self.norm(x))


class Account:
    """Bytes of distinct storages that autograd saved, parameters left out."""

    def __init__(self, module):
        self.own = {one.untyped_storage()._cdata for one in module.parameters()}
        self.kept = {}

    def pack(self, tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in self.own and tensor.is_floating_point():
            self.kept[storage._cdata] = (storage.nbytes(), tensor)
        return tensor

    def watching(self):
        return torch.autograd.graph.saved_tensors_hooks(self.pack, lambda tensor: tensor)

    @property
    def bytes(self):
        return sum(size for size, _ in self.kept.values())


def saved_by_layers(shape, tokens, *, again=False, frozen=False):
    """Bytes that all layers save for their backward pass in 16 bits: embedding, last norm, head and loss left out."""
    torch.manual_seed(0)
    model = Language(shape, again).bfloat16()
    account = Account(model)
    model.layers.requires_grad_(not frozen)
    with quiet():
        cos, sin = torch.ones(2, tokens.shape[1], shape.hidden // shape.heads, dtype=torch.bfloat16)
        account.own |= {one.untyped_storage()._cdata for one in (cos, sin)}
        x = model.embedding(tokens)
        with account.watching(), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            for layer in model.layers:
                x = checkpoint(layer, x, cos, sin, use_reentrant=False) if again else layer(x, cos, sin)
    return account.bytes


def loss_of(model, tokens):
    """Loss over 32-bit logits, as eager PyTorch takes it."""
    logits = model(tokens)
    return cross_entropy(logits.flatten(0, 1).float(), tokens.flatten())


def saved_by_transformers(kind, shape, tokens):
    """Bytes that one layer of transformers' own module of a family saves: two depths, halved."""
    import transformers

    wide = {"hidden_size": shape.hidden, "num_attention_heads": shape.heads, "intermediate_size": shape.inner,
            "vocab_size": shape.vocabulary}  # fmt: skip
    made = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, {"num_key_value_heads": shape.kv_heads}),
        "gpt": (transformers.GPTNeoXConfig, transformers.GPTNeoXForCausalLM, {"use_parallel_residual": False}),
        "mixture": (
            transformers.MixtralConfig,
            transformers.MixtralForCausalLM,
            {"num_key_value_heads": shape.kv_heads, "num_local_experts": shape.experts},
        ),
    }
    config, module, more = made[kind]
    held = []
    for layers in (1, 2):
        model = module(config(**wide, **more, num_hidden_layers=layers, attn_implementation="sdpa")).bfloat16()
        account = Account(model)
        with quiet(), account.watching(), sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            model(tokens, use_cache=False)
        held.append(account.bytes)
    return held[1] - held[0]


def quiet():
    """Let torch warn without failing a test."""
    caught = warnings.catch_warnings()
    caught.__enter__()
    warnings.simplefilter("ignore")
    stack = ExitStack()
    stack.callback(caught.__exit__, None, None, None)
    return stack


@dataclass(frozen=True)
class Tracked:
    """What torch's tracker says of one rank: bytes by its own kinds at the peak, and the most gathered at once."""

    peak: dict
    most_gathered: int


def tracked_sharded_step(shape, tokens, ranks, again=False):
    """Two steps of two micro-batches under FSDP2 as one of several ranks, exchanged with nobody."""
    with quiet():
        from torch import distributed
        from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
        from torch.testing._internal.distributed.fake_pg import FakeStore

        distributed.init_process_group("fake", rank=0, world_size=ranks, store=FakeStore())
        try:
            model, mesh = Language(shape, again), init_device_mesh("cpu", (ranks,))
            policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
            for module in (*model.layers, model):
                fully_shard(module, mesh=mesh, mp_policy=policy)
            optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
            tracker, gathered = FSDPMemTracker(model, optimizer), []
            for layer in model.layers:
                layer.register_full_backward_pre_hook(lambda *_: gathered.append(_gathered(tracker)))
            with tracker:
                for _ in range(2):
                    for _ in range(2):
                        loss_of(model, tokens).backward()
                        tracker.reset_mod_stats()
                    optimizer.step()
                    optimizer.zero_grad()
            return Tracked(peak=_by_name(tracker.get_tracker_snapshot("peak")), most_gathered=max(gathered, default=0))
        finally:
            distributed.destroy_process_group()


def _by_name(snapshot):
    return {getattr(kind, "name", kind): size for kind, size in snapshot[torch.device("cpu")].items()}


def _gathered(tracker):
    held = _by_name(tracker.get_tracker_snapshot("current"))
    return sum(held.get(kind, 0) for kind in ("UNSHARDED_PARAM", "UNSHARDED_GRAD", "ALL_GATHER", "REDUCE_SCATTER"))
