"""Real steps of the small decoder: its parameters and its peak of live bytes are what Suanli counts.

    pytest tests/check/test_real_steps.py -m oracle -s

prints how near the peaks are.
"""

import subprocess
import sys

import pytest

from suanli.api.model import find_model
from suanli.catalogue.find import system
from suanli.catalogue.kernels import load_kernels
from suanli.check.shrink import scaled_down
from suanli.domain.check import Case, Kind
from suanli.estimate.checked import predict
from suanli.foundation.errors import InputError
from suanli.parts.architectures.count import parameters

pytestmark = pytest.mark.oracle

TRAINED = [
    ("meta-llama/Llama-3.1-8B", 256, 2, 2, 256, "fp32"),
    ("meta-llama/Llama-3.1-8B", 512, 4, 1, 128, "fp32"),
    ("meta-llama/Llama-3.1-8B", 256, 3, 4, 128, "bf16"),
    ("openai-community/gpt2", 256, 4, 2, 128, "fp32"),
    ("openai-community/gpt2", 512, 2, 1, 128, "bf16"),
    ("Qwen/Qwen3-0.6B", 256, 2, 2, 256, "fp32"),
    ("Qwen/Qwen3-0.6B", 512, 2, 1, 64, "bf16"),
    ("mistralai/Mixtral-8x7B-v0.1", 256, 2, 2, 128, "fp32"),
]
SERVED = [
    (Kind.PREFILL, "meta-llama/Llama-3.1-8B", 512, 2, 2, 256),
    (Kind.PREFILL, "openai-community/gpt2", 512, 2, 2, 256),
    (Kind.DECODE, "meta-llama/Llama-3.1-8B", 512, 2, 4, 256),
    (Kind.DECODE, "Qwen/Qwen3-0.6B", 512, 2, 1, 512),
]


def torch_check():
    pytest.importorskip("torch")
    from suanli.check import network, ranks, run

    return network, ranks, run


def ran(case):
    _, ranks, run = torch_check()
    with ranks.open_ranks("cpu") as alone:
        return run.run(case, alone, 0.0)


def predicted(case, ranks=1):
    return predict(case, system("h100-sxm", place="test") if ranks == 1 else system("dgx-h100", place="test"),
                   load_kernels(), ranks)  # fmt: skip


@pytest.mark.parametrize(("name", "hidden", "layers", "batch", "tokens", "form"), TRAINED)
def test_the_peak_of_a_training_step_is_what_is_counted(name, hidden, layers, batch, tokens, form):
    model = scaled_down(find_model(name), hidden, layers, 2048)
    case = Case(kind=Kind.TRAIN, model=model, batch=batch, tokens=tokens, number_format=form)
    real, told = ran(case), predicted(case)
    print(f"{case.name}: {told.peak_bytes / real.peak_bytes - 1:+.2%}")
    assert told.peak_bytes == pytest.approx(real.peak_bytes, rel=0.03)


@pytest.mark.parametrize(("kind", "name", "hidden", "layers", "batch", "tokens"), SERVED)
def test_the_peak_of_serving_is_what_is_counted(kind, name, hidden, layers, batch, tokens):
    model = scaled_down(find_model(name), hidden, layers, 2048)
    case = Case(kind=kind, model=model, batch=batch, tokens=tokens, number_format="bf16")
    real, told = ran(case), predicted(case)
    print(f"{case.name}: {told.peak_bytes / real.peak_bytes - 1:+.2%}")
    assert told.peak_bytes == pytest.approx(real.peak_bytes, rel=0.06)


@pytest.mark.parametrize("name", ["meta-llama/Llama-3.1-8B", "openai-community/gpt2", "mistralai/Mixtral-8x7B-v0.1"])
def test_the_decoder_has_the_parameters_of_its_model(name):
    network, _, _ = torch_check()
    model = scaled_down(find_model(name), 256, 2, 2048)
    decoder = network.Decoder(model, 64)
    assert sum(one.numel() for one in decoder.parameters()) == parameters(model)


def test_a_decode_step_goes_on_where_the_prompt_ended():
    import torch

    network, _, _ = torch_check()
    torch.manual_seed(0)
    decoder = network.Decoder(scaled_down(find_model("Qwen/Qwen3-0.6B"), 256, 2, 512), 33).eval()
    tokens = torch.randint(0, 512, (2, 33))
    with torch.inference_mode():
        whole = decoder(tokens)[:, -1]
        caches = decoder.caches(2, 33)
        decoder(tokens[:, :32], caches, 0)
        stepwise = decoder(tokens[:, 32:], caches, 32)[:, -1]
    assert torch.allclose(whole, stepwise, atol=1e-3)


def test_adapters_train_alone_and_change_nothing_at_first():
    import torch

    network, _, _ = torch_check()
    torch.manual_seed(0)
    decoder = network.Decoder(scaled_down(find_model("Qwen/Qwen3-0.6B"), 256, 2, 512), 16)
    tokens = torch.randint(0, 512, (1, 16))
    before = decoder(tokens)
    network.adapt(decoder, 4, ("query", "value"))
    assert torch.equal(before, decoder(tokens))
    trained = [one for one in decoder.parameters() if one.requires_grad]
    assert len(trained) == 2 * 2 * 2


def test_what_the_decoder_does_not_have_is_refused_by_name():
    network, _, _ = torch_check()
    with pytest.raises(InputError, match="latent"):
        network.refuse_unbuilt(find_model("deepseek-ai/DeepSeek-V3"))


ALONE = """
from suanli.api.model import find_model
from suanli.domain.check import Case, Kind
from suanli.check.ranks import open_ranks
from suanli.check.run import run
from suanli.check.shrink import scaled_down
model = scaled_down(find_model("openai-community/gpt2"), 256, 2, 1024)
with open_ranks("cpu") as ranks:
    ran = run(Case(kind=Kind.TRAIN, model=model, batch=1, tokens=64, number_format="fp32"), ranks, 0.0)
    if ranks.first:
        print("told", ranks.count, ran.steps, ran.peak_bytes)
"""


def test_several_processes_train_together(tmp_path):
    torch_check()
    script = tmp_path / "train.py"
    script.write_text(ALONE, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    told = next(line for line in done.stdout.splitlines() if line.startswith("told")).split()
    assert told[1] == "2"
    model = scaled_down(find_model("openai-community/gpt2"), 256, 2, 1024)
    case = Case(kind=Kind.TRAIN, model=model, batch=1, tokens=64, number_format="fp32")
    assert predicted(case, 2).peak_bytes == pytest.approx(float(told[3]), rel=0.1)


def test_more_ranks_than_devices_are_refused():
    model = scaled_down(find_model("openai-community/gpt2"), 256, 2, 1024)
    case = Case(kind=Kind.TRAIN, model=model, batch=1, tokens=64, number_format="fp32")
    with pytest.raises(InputError, match="WORLD_SIZE"):
        predicted(case, 16)


@pytest.mark.parametrize("form", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["meta-llama/Llama-3.1-8B", "openai-community/gpt2"])
def test_the_peak_of_a_step_of_adapters_is_what_is_counted(name, form):
    model = scaled_down(find_model(name), 256, 3, 2048)
    case = Case(kind=Kind.LORA, model=model, batch=2, tokens=256, number_format=form, rank=8)
    real, told = ran(case), predicted(case)
    print(f"{case.name}: {told.peak_bytes / real.peak_bytes - 1:+.2%}")
    assert told.peak_bytes == pytest.approx(real.peak_bytes, rel=0.03)
