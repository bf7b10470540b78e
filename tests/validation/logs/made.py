"""Logs as the tools print them, written by their formats from step times that a test chooses.

The formats are those of Megatron-LM (August 2026), torchtitan (0.1 and August 2026), DeepSpeed (0.18), transformers 5,
LLaMA-Factory and Axolotl (July 2026), nvidia-smi (driver 550), dcgmi dmon and dcgm-exporter (May 2026).
"""

import json
from datetime import datetime, timedelta

BEGIN = datetime(2026, 11, 20, 8, 0, 0)
LLAMA_8B = {
    "num_layers": 32, "hidden_size": 4096, "ffn_hidden_size": 14336, "num_attention_heads": 32,
    "group_query_attention": True, "num_query_groups": 8, "kv_channels": 128, "padded_vocab_size": 128256,
    "swiglu": True, "untie_embeddings_and_output_weights": True, "multi_latent_attention": False, "num_experts": None,
}  # fmt: skip
MEGATRON = {
    **LLAMA_8B, "world_size": 8, "tensor_model_parallel_size": 2, "pipeline_model_parallel_size": 1,
    "context_parallel_size": 1, "expert_model_parallel_size": 1, "data_parallel_size": 4,
    "virtual_pipeline_model_parallel_size": None, "micro_batch_size": 1, "global_batch_size": 128, "seq_length": 8192,
    "recompute_granularity": None, "use_distributed_optimizer": True, "sequence_parallel": True, "bf16": True,
    "fp16": False, "fp8": None, "attention_backend": "AttnBackend.auto", "train_iters": 1000, "log_interval": 1,
    "save_interval": 500, "eval_interval": 100, "transformer_impl": "transformer_engine", "barrier_with_L1_time": True,
    "timing_log_level": 0,
}  # fmt: skip


def moments(seconds, covers=1, begin=BEGIN):
    """Yield the number of the last step and the time of each report."""
    now = begin
    for row, each in enumerate(seconds, start=1):
        now += timedelta(seconds=each * covers)
        yield row * covers, now


def megatron(seconds, covers=1, arguments=None, total=1000, batch=128, skipped=0, timers=None, memory=True):
    said = {**MEGATRON, **(arguments or {}), "train_iters": total}
    lines = [
        (
            f"using world size: {said['world_size']}, data-parallel size: {said['data_parallel_size']}, "
            "context-parallel size: 1, hierarchical context-parallel sizes: None, "
            f"tensor-model-parallel size: {said['tensor_model_parallel_size']}, pipeline-model-parallel size: 1"
        ),
        "------------------------ arguments ------------------------",
        *(f"  {name} {'.' * (48 - len(name))} {value}" for name, value in sorted(said.items())),
        "-------------------- end of arguments ---------------------",
        "> initializing torch distributed ...",
    ]
    for (number, when), each in zip(moments(seconds, covers), seconds, strict=True):
        lines.append(
            f" [{when:%Y-%m-%d %H:%M:%S.%f}] iteration {number:8d}/{total:8d} |"
            f" consumed samples: {number * batch:12d} |"
            f" elapsed time per iteration (ms): {each * 1000:.1f} | throughput per GPU (TFLOP/s/GPU): 400.1 |"
            f" learning rate: 3.000000E-04 | global batch size: {batch:5d} | lm loss: 2.500000E+00 | loss scale: 1.0 |"
            f" grad norm: 0.500 | number of skipped iterations: {skipped:3d} | number of nan iterations:   0 |"
        )
        if number == covers and memory:
            lines.append(
                f"[Rank 0] (after {number} iterations) memory (MB) | allocated: 31000.00 | max allocated: 52000.00 |"
                " reserved: 56000.00 | max reserved: 57000.00"
            )
        if timers:
            lines.append("(min, max) time across ranks (ms):")
            for name, (least, most) in timers.items():
                lines.append(f"    {(name + ' ').ljust(48, '.')}: ({least * 1000:.2f}, {most * 1000:.2f})")
    return "\n".join(lines) + "\n"


COLOURS = ("\033[31m", "\033[32m", "\033[38;2;180;60;0m", "\033[38;2;54;234;195m", "\033[34m", "\033[36m", "\033[35m")
TITAN = {"dp_replicate": 1, "dp_shard": 8, "cp": 1, "tp": 1, "pp": 1, "ep": 1}


def torchtitan(
    seconds, covers=1, tokens=8 * 8192 * 8, total=1000, mesh=None, old=False, colours=True, config=True, after=None
):
    """Write a log; `after` holds further lines by the step behind which they come."""
    said = {**TITAN, **(mesh or {})}
    world = said["dp_replicate"] * said["dp_shard"] * said["cp"] * said["tp"] * said["pp"]
    paint = COLOURS if colours else ("",) * len(COLOURS)
    end = "\033[39m" if colours else ""

    def line(when, text):
        return f"[titan] {when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03d} - root - INFO - {text}"

    document = {
        "model_spec": {"name": "llama3", "flavor": "8B", "model": {"note": "braces } in 'texts' {"}},
        "training": {"local_batch_size": 2, "global_batch_size": 64, "seq_len": 8192, "steps": total, "gc_freq": 50},
        "parallelism": {"tensor_parallel_degree": said["tp"], "context_parallel_degree": said["cp"]},
        "activation_checkpoint": {"mode": "selective"},
        "compile": {"enable": False},
        "checkpoint": {"enable": True, "interval": 500},
    }
    lines = [line(BEGIN, "Starting job: Llama 3 8B training")]
    if config and old:
        lines.append(line(BEGIN, f"Running with args: {document}"))
    elif config:
        lines.append(line(BEGIN, f"Running with configs: {json.dumps(document, indent=2)}"))
    if old:
        used = {name: size for name, size in said.items() if size > 1 and name != "ep"}
        lines.append(line(BEGIN, f"Building {len(used)}-D device mesh with {list(used)}, {list(used.values())}"))
    else:
        told = ", ".join(f"{name}={said[name]}" for name in ("pp", "dp_replicate", "dp_shard", "cp", "tp", "ep"))
        lines.append(line(BEGIN, f"Building device mesh with parallelism: {told}"))
    lines.append(line(BEGIN, f"{paint[4]}Model llama3 8B {paint[0]}size: 8,030,261,248 total parameters{end}"))
    lines.append(line(BEGIN, "Training starts at step 1"))
    for (number, when), each in zip(moments(seconds, covers), seconds, strict=True):
        rate = tokens / each / world
        lines.append(
            line(
                when,
                f"{paint[0]}step: {number:2}  {paint[1]}loss:  7.12345  {paint[2]}grad_norm:  1.2345  "
                f"{paint[3]}memory: 61.50GiB(77.70%)  {paint[4]}tps: {round(rate):,}  {paint[5]}tflops: 400.12  "
                f"{paint[6]}mfu: 40.46%{end}",
            )
        )
        lines += [line(when, text) for text in (after or {}).get(number, ())]
    return "\n".join(lines) + "\n"


DEEPSPEED = {
    "train_batch_size": 64, "train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 2,
    "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "none"}}, "bf16": {"enabled": True},
    "wall_clock_breakdown": False, "steps_per_print": 10,
}  # fmt: skip


def deepspeed(seconds, covers=10, config=None, skipped=0, flushes=()):
    said = {**DEEPSPEED, **(config or {})}
    head = "[{when:%Y-%m-%d %H:%M:%S},123] [INFO] [{where}] "
    document = json.dumps(said, sort_keys=True, indent=4, separators=(",", ":"))
    lines = [
        head.format(when=BEGIN, where="config.py:728:__init__") + "Config mesh_device None world_size = 8",
        head.format(when=BEGIN, where="config.py:1003:print") + "DeepSpeedEngine configuration:",
        head.format(when=BEGIN, where="config.py:1007:print") + "  train_batch_size ............. 64",
        head.format(when=BEGIN, where="config.py:999:print_user_config") + "  json = " + document,
    ]
    for (number, when), each in zip(moments(seconds, covers), seconds, strict=True):
        lines.append(
            head.format(when=when, where="logging.py:128:log_dist")
            + f"[Rank 0] step={number}, skipped={skipped}, lr=[0.0001], mom=[(0.9, 0.999)]"
        )
        rate = said["train_batch_size"] / each
        lines.append(
            head.format(when=when, where="timer.py:264:stop")
            + f"epoch=0/micro_step={number * 2}/global_step={number}, RunningAvgSamplesPerSec={rate}, "
            f"CurrSamplesPerSec={rate}, MemAllocated=20.1GB, MaxMemAllocated=50.5GB"
        )
        if number in flushes:
            lines.append(
                head.format(when=when, where="stage3.py:2650:step").replace("INFO", "WARNING")
                + "2 pytorch allocator cache flushes since last step. this happens when there is high memory pressure"
            )
    return "\n".join(lines) + "\n"


def span(seconds):
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def bar(number, total, elapsed):
    rate = elapsed / max(number, 1)
    part = "█" * (10 * number // total)
    left = span((total - number) * rate)
    return f"{100 * number // total:3d}%|{part:<10}| {number}/{total} [{span(elapsed)}<{left}, {rate:5.2f}s/it]"


def console(seconds, total=1000, every=10, head=(), extra=None, evaluations=(), ended=False):
    """Write a console of the Trainer: bars redrawn in one line, mappings between them, an evaluation's own bar."""
    text = "\n".join([
        *head, "***** Running training *****", "  Num examples = 64,000", "  Num Epochs = 1",
        "  Instantaneous batch size per device = 4",
        "  Total train batch size (w. parallel, distributed & accumulation) = 64",
        "  Gradient Accumulation steps = 2", f"  Total optimization steps = {total:,}",
        "  Number of trainable parameters = 8,030,261,248", "",
    ])  # fmt: skip
    text += "Map: 100%|██████████| 900/900 [00:09<00:00, 99.1it/s]\n" + bar(0, total, 0).replace("s/it", "?it/s")
    elapsed = 0.0
    for number, each in enumerate(seconds, start=1):
        elapsed += each
        text += "\r" + bar(number, total, elapsed)
        if number % every == 0:
            told = {"loss": "1.234", "grad_norm": "0.5", "learning_rate": "1e-05", "epoch": "0.1", **(extra or {})}
            text += f"\r{' ' * 60}\r{told}\n\r" + bar(number, total, elapsed)
        if number in evaluations:
            text += "\r" + "".join(f"\r{bar(one, 20, one * 0.5)}\x1b[A" for one in range(1, 21))
            elapsed += 10.0
            text += "\n{'eval_loss': '1.2', 'eval_runtime': '10.0', 'eval_samples_per_second': '9.1', 'epoch': '0.1'}\n"
    if ended:
        text += (
            f"\n{{'train_runtime': '{elapsed:.1f}', 'train_samples_per_second': '64', 'train_steps_per_second': '1',"
        )
        text += " 'train_loss': '1.2', 'epoch': '1'}\n"
    return text


def trainer_log(seconds, total=1000, every=10, more=None):
    """Write a trainer_log.jsonl of LLaMA-Factory."""
    lines, elapsed = [], 0.0
    for number, each in enumerate(seconds, start=1):
        elapsed += each
        if number % every == 0:
            told = {
                "current_steps": number, "total_steps": total, "loss": 1.2, "lr": 1e-5, "epoch": 0.1,
                "percentage": 100 * number / total, "elapsed_time": str(timedelta(seconds=int(elapsed))),
                "remaining_time": "1:00:00", **{name: value * number for name, value in (more or {}).items()},
            }  # fmt: skip
            lines.append(json.dumps(told))
    return "\n".join(lines) + "\n"


LLAMAFACTORY_YAML = """### model
model_name_or_path: Qwen/Qwen3-8B
trust_remote_code: true
### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 16
lora_target: all
deepspeed: examples/deepspeed/ds_z2_config.json
### dataset
dataset: identity,alpaca_en_demo
template: qwen3_nothink
cutoff_len: 2048
packing: true
### output
output_dir: saves/qwen3-8b/lora/sft
logging_steps: 10
save_steps: 500
### train
per_device_train_batch_size: 2
gradient_accumulation_steps: 4
learning_rate: 1.0e-4
num_train_epochs: 3.0
bf16: true
"""
AXOLOTL_YAML = """base_model: NousResearch/Llama-3.2-1B
load_in_4bit: true
datasets:
  - path: teknium/GPT4-LLM-Cleaned
    type: alpaca
adapter: qlora
lora_r: 32
sequence_len: 2048
sample_packing: true
gradient_accumulation_steps: 4
micro_batch_size: 2
optimizer: adamw_bnb_8bit
bf16: auto
gradient_checkpointing: true
attn_implementation: flash_attention_2
saves_per_epoch: 1
"""
SMI_HEADING = (
    "timestamp, index, name, utilization.gpu [%], memory.used [MiB], power.draw [W], power.limit [W], "
    "temperature.gpu, clocks.current.sm [MHz], clocks.max.sm [MHz], clocks_event_reasons.active"
)


def smi(samples=60, devices=8, heading=SMI_HEADING, **changes):
    """Write a CSV of nvidia-smi; a change is a value, or a function of device and sample, by its name."""
    plain = {"busy": 100, "memory": 61_000, "watts": 690, "limit": 700, "celsius": 60, "clock": 1900, "mask": 4}
    lines = [heading]
    for row in range(samples):
        when = BEGIN + timedelta(seconds=row)
        for device in range(devices):
            said = {name: changes.get(name, value) for name, value in plain.items()}
            told = {name: value(device, row) if callable(value) else value for name, value in said.items()}
            lines.append(
                f"{when:%Y/%m/%d %H:%M:%S}.000, {device}, NVIDIA H100 80GB HBM3, {told['busy']} %, "
                f"{told['memory']} MiB, {told['watts']:.2f} W, {told['limit']:.2f} W, {told['celsius']}, "
                f"{told['clock']} MHz, 1980 MHz, 0x{told['mask']:016x}"
            )
    return "\n".join(lines) + "\n"


def dmon(samples=30, devices=2, busy=100, clock=1900):
    heads = [
        "# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec    jpg    ofa   mclk   pclk  pviol  tviol     fb",
        "# Idx      W      C      C      %      %      %      %      %      %    MHz    MHz      %   bool     MB",
    ]
    lines = []
    for row in range(samples):
        if row % 10 == 0:
            lines += heads
        for device in range(devices):
            cells = (device, 650, 61, "-", busy, 50, 0, 0, 0, 0, 2619, clock, 0, 0, 61_000)
            lines.append("".join(f"{cell!s:>7}" for cell in cells))
    return "\n".join(lines) + "\n"


SMI_TABLE = """Fri Nov 20 08:00:00 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.90.12              Driver Version: 550.90.12      CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|=========================================+========================+======================|
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:1B:00.0 Off |                    0 |
| N/A   64C    P0            680W /  700W |   61234MiB /  81559MiB |     99%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
|   1  NVIDIA H100 80GB HBM3          On  |   00000000:43:00.0 Off |                    0 |
| N/A   59C    P0            671W /  700W |   60990MiB /  81559MiB |     97%      Default |
|                                         |                        |             Disabled |
+-----------------------------------------+------------------------+----------------------+
"""


def dcgm_dmon(samples=30, devices=2):
    lines = []
    for row in range(samples):
        if row % 10 == 0:
            lines += ["#Entity   GPUTL   SMCLK   POWER   TMPTR   FBUSD   TENSO", "ID"]
        lines += [f"GPU {one}     98      1890    640.1   63      61000   0.612" for one in range(devices)]
    return "\n".join(lines) + "\n"


def dcgm_exporter(scrapes=3, devices=2, heated=1000):
    lines = []
    for scrape in range(scrapes):
        for name, text, values in (
            ("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz).", "1890"),
            ("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", "63"),
            ("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", "640.1"),
            ("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", "97"),
            ("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).", "61000"),
            (
                "DCGM_FI_DEV_THERMAL_VIOLATION",
                "Throttling duration due to thermal constraints (in ns).",
                str(scrape * heated),
            ),
            ("DCGM_FI_DEV_MEMORY_TEMP", "Memory temperature (in C).", "9223372036854775794"),
        ):
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge"]
            for device in range(devices):
                lines.append(
                    f'{name}{{gpu="{device}",UUID="GPU-{device}",pci_bus_id="00000000:1B:00.0",device="nvidia{device}",'
                    f'modelName="NVIDIA H100 80GB HBM3",hostname="node-1"}} {values}'
                )
    return "\n".join(lines) + "\n"
