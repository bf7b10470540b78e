"""A small stand-in for PyTorch: tensors without numbers, devices that tell a made-up time, calls written down.

Every operator takes the time that planted kernels give it, on a clock of the device's own, so that a whole measurement
runs on devices that are not here, and its fits can be held against what was planted.
"""

import contextlib
import math
from functools import cache
from types import SimpleNamespace

from suanli.catalogue.kernels import load_formats
from suanli.domain.kernel import AttentionKernel, MatmulKernel, PassKernel
from suanli.parts.devices.electronic import AttentionShape, Engine, time_attention, time_matmul, time_pass

PEAKS = {"float32": 60e12, "bfloat16": 900e12, "float16": 900e12, "int8": 1800e12, "float8_e4m3fn": 1700e12}
BANDWIDTH, UNITS, MEMORY = 3e12, 132.0, 80e9
FORMAT = {"float32": "fp32", "bfloat16": "bf16", "float16": "bf16", "int8": "int8", "float8_e4m3fn": "fp8"}
SIZE = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "float8_e4m3fn": 1, "uint8": 1}
MATMUL = MatmulKernel(
    ceiling_share=0.8, memory_share=0.85, tile_rows=128.0, least_tile_rows=16.0, tile_columns=128.0,
    wave_softness=0.3, inner_ramp=150.0, overlap_sharpness=3.0, floor_seconds=3e-6, root_step_seconds=2e-8,
    dressing_bytes=0.0,
)  # fmt: skip
ATTENTION = AttentionKernel(
    ceiling_share=0.6, memory_share=0.8, tile_rows=128.0, least_tile_rows=64.0, wave_softness=0.2, key_ramp=150.0,
    softmax_dims=30.0, overlap_sharpness=2.5, floor_seconds=6e-6, root_step_seconds=3e-8,
)  # fmt: skip
PASS = PassKernel(memory_share=0.9, floor_seconds=2e-6)
LAUNCHES = 3.0


class Clock:
    """The device's time, and what was called on it."""

    def __init__(self):
        self.now, self.recording, self.calls = 0.0, None, []

    def spend(self, seconds):
        if self.recording is None:
            self.now += float(seconds)
        else:
            self.recording.seconds += float(seconds)

    def call(self, name):
        self.calls.append(name)


class Tensor:
    """A shape and a type; what is done with it takes time and makes another."""

    def __init__(self, torch, shape, dtype="float32"):
        self.torch, self.shape, self.dtype, self.grad = torch, tuple(int(one) for one in shape), dtype, None

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        return Tensor(self.torch, (len(range(*part.indices(len(self)))), *self.shape[1:]), self.dtype)

    def __iter__(self):
        return iter([Tensor(self.torch, self.shape[1:], self.dtype)] * self.shape[0])

    def __sub__(self, other):
        return self

    def __add__(self, other):
        return self.moved(3)

    def moved(self, tensors):
        size = tensors * math.prod(self.shape) * SIZE[self.dtype]
        self.torch.clock.spend(pass_time(size))
        return Tensor(self.torch, self.shape, self.dtype)

    def to(self, dtype):
        return Tensor(self.torch, self.shape, dtype)

    def view(self, *shape):
        return Tensor(self.torch, shape, self.dtype)

    def t(self):
        return Tensor(self.torch, self.shape[::-1], self.dtype)

    def clone(self):
        return self.moved(2)

    def detach(self):
        return self

    def requires_grad_(self):
        return self

    def element_size(self):
        return SIZE[self.dtype]

    def pin_memory(self):
        self.torch.clock.call("pin_memory")
        return self

    def copy_(self, other, non_blocking=False):
        self.torch.clock.call(f"copy non_blocking={non_blocking}")
        self.torch.clock.spend(math.prod(self.shape) / 50e9)
        return self


@cache
def pass_time(size):
    return float(time_pass(PASS, BANDWIDTH, size))


@cache
def matmul_time(rows, inner, columns, groups, dtype):
    engine = Engine(peak_flop_per_s=PEAKS[dtype], memory_bytes_per_s=BANDWIDTH, compute_units=UNITS)
    return float(time_matmul(MATMUL, engine, load_formats()[FORMAT[dtype]], rows, inner, columns, groups))


@cache
def attention_time(q, k, products, dtype):
    sequences, heads, queries, width = q
    kv_heads, keys = k[1], k[2]
    engine = Engine(peak_flop_per_s=PEAKS[dtype], memory_bytes_per_s=BANDWIDTH, compute_units=UNITS)
    shape = AttentionShape(
        queries=float(queries), keys=float(keys), heads=float(heads), kv_heads=float(kv_heads),
        qk_head_dim=float(width), v_head_dim=float(width), cached_dims=2.0 * width * kv_heads,
        sequences=float(sequences), causal=1.0,
    )  # fmt: skip
    return float(time_attention(ATTENTION, engine, shape, products, SIZE[dtype], SIZE[dtype]))


class Graph:
    """What was captured: how long it takes to play again."""

    def __init__(self, clock):
        self.clock, self.seconds = clock, 0.0

    def replay(self):
        self.clock.call("replay")
        self.clock.spend(self.seconds)


class Module:
    """torch.cuda, torch.npu or torch.xpu of the stand-in."""

    def __init__(self, torch, name, count, graphs, refuses):
        self.torch, self.name, self.count, self.refuses = torch, name, count, refuses
        clock = torch.clock
        if graphs:
            setattr(self, graphs, lambda: Graph(clock))
            self.graph = self.captured

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing
                self.at = None

            def record(self):
                clock.call("record")
                self.at = clock.now

            def elapsed_time(self, end):
                return (end.at - self.at) * 1e3

        self.Event = Event

    def is_available(self):
        return True

    def device_count(self):
        return self.count

    def synchronize(self):
        self.torch.clock.call("synchronize")

    def get_device_properties(self, at):
        return SimpleNamespace(name=self.name, total_memory=MEMORY, multi_processor_count=int(UNITS))

    def max_memory_allocated(self):
        return 1e9

    def empty_cache(self):
        self.torch.clock.call("empty_cache")

    @contextlib.contextmanager
    def captured(self, graph):
        if self.refuses:
            raise RuntimeError("this build does not capture")
        self.torch.clock.call("capture")
        self.torch.clock.recording = graph
        try:
            yield
        finally:
            self.torch.clock.recording = None


class FakeTorch:
    """What of PyTorch a measurement calls."""

    __version__ = "2.99"
    float32, bfloat16, float16, int8, float8_e4m3fn, uint8 = *PEAKS, "uint8"

    def __init__(self, kind="cuda", name="NVIDIA H100 80GB HBM3", count=1, refuses_capture=False):
        self.clock = Clock()
        none = SimpleNamespace(is_available=lambda: False)
        graphs = {"cuda": "CUDAGraph", "rocm": "CUDAGraph", "xpu": "XPUGraph"}.get(kind, "")
        module = Module(self, name, count, graphs, refuses_capture)
        self.cuda = module if kind in ("cuda", "rocm") else none
        self.npu = module if kind == "npu" else none
        self.xpu = module if kind == "xpu" else none
        self.mps = none
        told = {"cuda": ("cuda", "13.0"), "rocm": ("hip", "7.0"), "npu": ("cann", "8.3"), "xpu": ("xpu", "2025")}
        self.version = SimpleNamespace(**dict([told.get(kind, ("cuda", None))]))
        self.backends = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)))
        self.nn = SimpleNamespace(
            functional=SimpleNamespace(
                linear=self.linear, silu=lambda x: x.moved(2), layer_norm=lambda x, shape: x.moved(2),
                scaled_dot_product_attention=self.attend,
            ),
            Parameter=lambda tensor: tensor,
        )  # fmt: skip
        self.autograd = SimpleNamespace(grad=self.grad)
        self.optim = SimpleNamespace(AdamW=self.adamw)
        self.last = None

    def get_num_threads(self):
        return 2

    def rand(self, shape, device=""):
        return Tensor(self, shape)

    def randint(self, low, high, shape, dtype="", device=""):
        return Tensor(self, shape, dtype)

    def ones(self, count, device=""):
        return Tensor(self, (count,))

    def empty(self, count, dtype="float32", device=""):
        return Tensor(self, (count,), dtype)

    def ones_like(self, tensor):
        return Tensor(self, tensor.shape, tensor.dtype)

    def tensor(self, value, device=""):
        return Tensor(self, (1,))

    def add(self, a, b, out=None):
        return a.moved(3)

    def linear(self, rows, weight):
        return self.multiplied(rows, weight.t(), 1)

    def _int_mm(self, rows, weight):
        return self.multiplied(rows, weight, 1)

    def _scaled_mm(self, rows, weight, scale_a, scale_b, out_dtype):
        return self.multiplied(rows, weight, 1)

    def bmm(self, rows, weight):
        return self.multiplied(Tensor(self, rows.shape[1:], rows.dtype), Tensor(self, weight.shape[1:]), rows.shape[0])

    def multiplied(self, rows, weight, groups):
        m, k = rows.shape
        n = weight.shape[1]
        assert weight.shape[0] == k
        self.clock.spend(matmul_time(float(m), float(k), float(n), float(groups), rows.dtype))
        return Tensor(self, (m, n), rows.dtype)

    def attend(self, q, k, v, is_causal=False, enable_gqa=False):
        assert enable_gqa == (q.shape[1] != k.shape[1])
        self.clock.spend(attention_time(q.shape, k.shape, 2.0, q.dtype))
        self.last = (q.shape, k.shape, q.dtype)
        return Tensor(self, q.shape, q.dtype)

    def grad(self, out, inputs, grown, retain_graph=False):
        assert retain_graph
        q, k, _ = inputs
        self.clock.spend(attention_time(q.shape, k.shape, 5.0, q.dtype))

    def adamw(self, parameters, fused=False):
        size = 28.0 * sum(math.prod(one.shape) for one in parameters)
        return SimpleNamespace(step=lambda: self.clock.spend((1.0 if fused else LAUNCHES) * pass_time(size)))
