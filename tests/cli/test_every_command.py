"""What holds of every command: help, one JSON document in SI, two languages, nothing but the answer on stdout."""

import json
import re
from pathlib import Path

import pytest
from tests.measure.fake_torch import FakeTorch
from tests.measure.few import small_rules_file
from tests.planner import small
from tests.validation.logs import made
from tests.validation.runs import DENSE, write
from typer.testing import CliRunner

from suanli.cli import COMMANDS
from suanli.cli.app import ORDER, app
from suanli.foundation.language import set_language

RUN = CliRunner()
RESULT = Path(__file__).parents[1] / "validation" / "results" / "vllm.json"
TRAIN = ("--model", "LLaMA2-7B", "--system", "dgx-a100-640", "--tp", "2", "--global-batch", "64", "--seq-len", "2048")
RL = (
    "--model", "Qwen/Qwen3-0.6B", "--system", "dgx-a100-640", "--nodes", "2", "--dp", "8", "--prompts", "16", "--group",
    "8", "--answer-tokens", "200", "--rollout-tp", "1",
)  # fmt: skip
SERVE = ("--model", "Qwen/Qwen3-8B", "--system", "H100-SXM", "--concurrency", "8")
ASKED = {
    "plan": ("plan", "{scenario}"),
    "init": ("init", "{new}"),
    "model": ("model", "Qwen/Qwen3-8B"),
    "model --list": ("model", "--list"),
    "train": ("train", *TRAIN),
    "finetune": ("finetune", *TRAIN, "--method", "qlora", "--lora-rank", "8"),
    "finetune --largest": ("finetune", *SERVE[:4], "--cards", "1", "--largest", "rank", "--seq-len", "1024"),
    "finetune --compare": ("finetune", *SERVE[:4], "--compare", "--data-tokens", "1e7", "--example-tokens", "500"),
    "finetune --method grpo": ("finetune", *RL, "--method", "grpo", "--rollout", "separate", "--lag", "1"),
    "finetune --method dpo": ("finetune", *TRAIN, "--method", "dpo", "--adapters", "lora"),
    "serve": ("serve", *SERVE),
    "capacity": ("capacity", *SERVE[:4], "--users", "100", "--context", "8192"),
    "traffic": ("traffic", "azure-2023-conv", "--requests", "500"),
    "replay": ("replay", *SERVE[:4], "--traffic", "sharegpt", "--requests", "50"),
    "simulate": ("simulate", *TRAIN[:4], "--tokens", "1e11", "--runs", "20"),
    "scaling": ("scaling", "--flop", "1e22", "--system", "dgx-h100", "--deadline-days", "30", "--as-of", "2024-06"),
    "validate": ("validate", "{runs}"),
    "validate --model": ("validate", "{result}", "--model", "LLAMA3_8B", "--system", "H100-SXM", "--engine", "vllm"),
    "validate --system": ("validate", "{log}", "{export}", "--system", "dgx-h100"),
    "calibrate": ("calibrate", "{runs}", "--leave-out", "run"),
    "measure": ("measure", "--quick", "--dtypes", "bf16"),
    "catalogue list": ("catalogue", "list", "accelerators", "--origin", "CN"),
    "catalogue show": ("catalogue", "show", "dgx-a800-640"),
    "catalogue check": ("catalogue", "check"),
    "catalogue sources": ("catalogue", "sources"),
    "market": ("market", "--as-of", "2023-05", "--region", "China", "--item", "dgx-a800-640"),
}
LAYOUT = {"step_seconds", "tokens_per_s", "mfu", "memory_bytes", "breakdown", "layout", "band"}
STEP = LAYOUT | {"pools", "samples_per_s", "capacity_bytes", "step_amount", "thousand_steps_amount", "alternatives"}
STABLE = {
    "plan": {"recommended", "alternatives", "orders", "rents", "assignments", "cash", "assumed", "sources"},
    "model": {"parameters", "active_parameters", "forward_flop", "kv_bytes_per_token", "weight_bytes"},
    "train": LAYOUT,
    "finetune": LAYOUT,
    "finetune --largest": {*LAYOUT, "asked", "largest", "next", "binds", "frees"},
    "finetune --compare": {"layers", "currency", "rent_basis", "pays_from_requests", "assumed", "figures"},
    "finetune --method grpo": STEP | {"rollout", "sync_bytes", "staleness_steps"},
    "finetune --method dpo": STEP,
    "serve": {"ttft_seconds", "tpot_seconds", "output_tokens_per_s", "replicas", "layout", "band"},
    "capacity": {"layout", "kv_pool_bytes", "kv_blocks", "sequences", "longest_context_tokens", "binds", "frees"},
    "traffic": {"requests_per_s", "gap_variation", "inputs", "outputs", "endless_hit_share"},
    "replay": {"ttft_seconds", "tpot_seconds", "itl_seconds", "goodput_per_s", "hit_share", "samples", "assumed"},
    "simulate": {"chance", "with_errors", "goodput", "seconds_by_cause"},
    "scaling": {
        "flop",
        "parameters",
        "tokens",
        "loss_nats_per_token",
        "band",
        "laws",
        "chosen",
        "stops_paying",
        "assumed",
        "sources",
    },
    "validate --model": {"rows", "assumed"},
    "validate --system": {"rows", "reached_share", "inside_band", "pace", "causes", "progress", "devices", "assumed"},
    "validate": {"rows", "summary", "fits", "wrong_fits"},
    "calibrate": {"figures", "untouched", "runs", "errors", "errors_by_source", "refused", "written"},
    "measure": {"machine", "product", "launch_seconds", "floor_seconds", "memory_bytes_per_s", "samples", "written"},
    "catalogue show": {"id", "name", "link", "sources"},
    "market": {"as_of", "region", "currency", "systems", "offers"},
}


RUNS_FOR_REAL = {"check"}
"""Commands that need torch: tests/check/test_command.py asks them."""


@pytest.fixture(autouse=True)
def _own_language():
    yield
    set_language("en")


def _text(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _stand_in_device(tmp_path_factory, monkeypatch):
    """Let `measure` find a stand-in for a device, and time few shapes on it."""
    torch = FakeTorch("cuda")
    monkeypatch.setattr("suanli.measure.bench.torch_module", lambda: torch)
    monkeypatch.setattr("suanli.measure.bench.load_average", lambda: 0.0)
    monkeypatch.setattr("suanli.measure.rules.RULES", small_rules_file(tmp_path_factory.mktemp("rules")))


@pytest.fixture
def places(tmp_path):
    return {
        "scenario": str(small.write(tmp_path)),
        "new": str(tmp_path / "new.yaml"),
        "result": str(RESULT),
        "log": str(_text(tmp_path / "train.log", made.megatron([14.0] * 50))),
        "export": str(_text(tmp_path / "smi.csv", made.smi(samples=9))),
        "runs": str(write(tmp_path / "runs.csv", DENSE, {**DENSE, "id": "run-2", "accelerator": "Abacus"})),
    }


def asked(name, places, *more):
    return RUN.invoke(app, [*(word.format(**places) for word in ASKED[name]), *more])


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


def read(text):
    """Read strict JSON: one document, no NaN, no infinity."""
    return json.loads(text, parse_constant=refuse)


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def mappings(value):
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from mappings(inner)


def test_every_command_is_asked_here():
    assert {name.split()[0] for name in ASKED} | RUNS_FOR_REAL == set(ORDER)
    assert len(COMMANDS) == len(ORDER)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("name", sorted({name.split(" --")[0] for name in ASKED} | RUNS_FOR_REAL | {"catalogue"}))
def test_help_answers_with_what_may_be_said(name, flag):
    told = RUN.invoke(app, [*name.split(), flag])
    assert told.exit_code == 0
    assert told.stderr == ""
    assert f"Usage: suanli {name}" in told.stdout
    if name != "catalogue":
        assert "--json" in told.stdout
        assert "--lang" in told.stdout


def test_help_lists_every_command_in_order_of_use():
    told = RUN.invoke(app, ["--help"]).stdout
    places = [re.search(rf"^\s+{name}\s", told, re.MULTILINE).start() for name in ORDER]
    assert places == sorted(places)


def test_nothing_said_is_answered_by_help():
    told = RUN.invoke(app, [])
    assert told.exit_code in (0, 2)
    assert "Usage: suanli" in told.output


@pytest.mark.parametrize("name", ASKED)
def test_json_is_one_strict_document_and_nothing_else(name, places):
    told = asked(name, places, "--json", "--lang", "en")
    assert told.exit_code == 0, told.stderr
    answer = read(told.stdout)
    assert isinstance(answer, dict)
    assert told.stdout.endswith("}\n")
    assert told.stderr == ""
    assert set(answer) >= STABLE.get(name, set())


@pytest.mark.parametrize("name", sorted(set(ASKED) - {"init", "plan", "measure"}))
def test_json_is_the_same_in_both_languages_but_for_words(name, places):
    english, chinese = (read(asked(name, places, "--json", "--lang", lang).stdout) for lang in ("en", "zh"))
    numbers = [[(path, leaf) for path, leaf in leaves(one) if not isinstance(leaf, str)] for one in (english, chinese)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("name", sorted(set(ASKED) - {"model --list"}))
def test_people_are_told_in_both_languages(name, places):
    told = {}
    for lang in ("en", "zh"):
        places = places | {"new": places["new"].replace("new", f"new-{lang}")}
        result = asked(name, places, "--lang", lang)
        assert result.exit_code == 0, result.stderr
        assert not result.stdout.lstrip().startswith("{")
        told[lang] = result.stdout
    assert told["en"] != told["zh"]
    assert re.search(r"[\u4e00-\u9fff]", told["zh"])


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("lang", ["fr", "EN", "zh_CN", " "])
def test_another_language_is_refused_before_anything_is_done(name, lang, places, tmp_path):
    before = sorted(tmp_path.iterdir())
    told = asked(name, places, "--json", "--lang", lang)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert "allowed: en, zh" in told.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("locale", "word"), [("zh_CN.UTF-8", "参数"), ("en_US.UTF-8", "Parameters"), ("C", "Param")])
def test_the_locale_chooses_where_nobody_says(locale, word, monkeypatch):
    monkeypatch.setenv("LC_ALL", locale)
    assert word in RUN.invoke(app, ["model", "Qwen/Qwen3-8B"]).stdout


def test_a_language_that_was_asked_for_wins_over_the_locale(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "Parameters" in RUN.invoke(app, ["model", "Qwen/Qwen3-8B", "--lang", "en"]).stdout


UNITS = (
    "seconds",
    "s",
    "bytes",
    "flop",
    "watts",
    "joules",
    "tokens",
    "token",
    "amount",
    "months",
    "units",
    "nats",
    "hertz",
    "celsius",
)
PURE = {
    # shares, ratios and errors
    "mfu", "goodput", "gap", "error", "median_abs_error", "mape", "p90_abs_error", "band_coverage",
    "discount_rate_per_year", "now", "flips_at", "tried_low", "tried_high", "quantity_share",
    "gain", "saved_share", "best_learning_rate", "idle_share",
    "hit_share", "endless_hit_share", "gap_variation", "blocks", "good_share", "busy_share", "cache_share",
    "reached_share", "done_share", "spread", "drift", "slow_mode_share", "tensor_share", "power_capped_share",
    "heat_slowed_share",
    # a figure's own unit stands beside it
    "value", "low", "high", "measured", "predicted", "before", "after", "width_before", "width_after",
    # counts
    "reports", "steady_reports", "warm_up_steps", "stalls", "stall_every", "samples", "last_step", "total_steps",
    "skipped_steps",
    "requests", "completed", "refused", "preempted", "running", "waiting",
    "load_average",
    "parameters", "active_parameters", "draft_parameters", "systems", "systems_bought", "accelerators", "replicas",
    "nodes", "steps", "updates", "staleness_steps", "staleness_updates", "failures", "spares", "heads",
    "rows", "predicted_rows", "runs", "hidden", "vocabulary", "layers", "count", "batch", "experts", "concurrency",
    "nics", "state_elements", "domain", "offers", "sources", "faults", "max_positions",
    "stage", "ran", "ran_told_to_fit", "ran_with_recompute_assumed", "out_of_memory", "out_of_memory_told_so",
    "data", "tensor", "pipeline", "context", "expert", "interleave", "micro_batch", "attention_data", "sharding_ranks",
    "decode_context", "feed_forward", "users", "sequences", "mean_sequences", "kv_blocks",
    "largest", "trained_parameters", "pays_from_requests",
    # money, whose currency stands beside it
    "rent",
}  # fmt: skip
PERCENTILES = {"ttft_seconds", "tpot_seconds", "itl_seconds", "finish_seconds", "queue_seconds"}
UNDER = (
    PERCENTILES
    | {"inputs", "outputs", "pause_seconds"}
    | {
        "parameters_by_role",
        "breakdown",
        "bytes_by_cause",
        "seconds_by_cause",
        "seconds_by_part",
        "weight_bytes_by_format",
        "kernels",  # figures of kernel families, named as their nouns name them
        "families",
        "samples",
        "shares",
    }
)
FOREIGN = re.compile(r"_(ms|us|ns|minutes|hours|days|weeks|kb|mb|gb|tb|gib|mib|kw|mw|kwh|tflop|tflops|gflop|percent)$")


def has_unit(path):
    if UNDER & set(path) or path[-1] in PURE:
        return True
    name = path[-1]
    return name.split("_per_")[0].rsplit("_", 1)[-1] in UNITS or name.rsplit("_", 1)[-1] in UNITS


@pytest.mark.parametrize("name", ASKED)
def test_the_name_of_a_quantity_ends_in_its_si_unit(name, places):
    answer = read(asked(name, places, "--json", "--lang", "en").stdout)
    numbers = {path for path, leaf in leaves(answer) if isinstance(leaf, (int, float)) and not isinstance(leaf, bool)}
    assert not [path for path in numbers if FOREIGN.search(path[-1])]
    assert sorted(path for path in numbers if not has_unit(path)) == []


@pytest.mark.parametrize("name", ["plan", "market"])
def test_money_carries_its_currency(name, places):
    answer = read(asked(name, places, "--json", "--lang", "en").stdout)
    money = [one for one in mappings(answer) if isinstance(one.get("amount"), (int, float))]
    assert all(one["currency"] == "CNY" for one in money)
    figures = [one for one in mappings(answer) if "range_given" in one]
    assert money or figures
    assert all(one["unit"] for one in figures)


@pytest.mark.parametrize("name", ["plan", "catalogue show", "market", "simulate", "scaling"])
def test_a_figure_says_range_kind_source_and_date(name, places):
    answer = read(asked(name, places, "--json", "--lang", "en").stdout)
    figures = [one for one in mappings(answer) if "range_given" in one]
    assert figures
    for one in figures:
        assert one["low"] <= one["value"] <= one["high"]
        assert one["kind"] in ("measured", "vendor", "derived", "estimate", "assumption")
        assert one["source"]


@pytest.mark.parametrize("name", ["train", "finetune", "serve", "model", "catalogue show"])
def test_an_answer_that_is_asked_for_twice_is_the_same(name, places):
    assert asked(name, places, "--json").stdout == asked(name, places, "--json").stdout


@pytest.mark.parametrize("name", ["train", "finetune", "serve"])
def test_a_bands_ends_hold_the_answer(name, places):
    answer = read(asked(name, places, "--json").stdout)
    bands = (
        answer["band"] if name == "serve" else {"step_seconds": answer["band"], "memory_bytes": answer["memory_band"]}
    )
    for quantity, band in bands.items():
        assert band["low"] <= answer[quantity] <= band["high"]
