"""What scripts get: answers that agree with themselves, of models, markets, catalogues and services."""

import dataclasses
import functools
import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanli.api import catalogue as catalogue_api
from suanli.api.init import init, schema, template
from suanli.api.market import market
from suanli.api.model import MOST_TOKENS, describe_model, find_model, is_config, list_models, roles
from suanli.api.serve import ServingQuestion, serve
from suanli.catalogue.dates import last_day
from suanli.foundation.errors import InfeasibleError, InputError
from suanli.foundation.language import LANGUAGES

MODELS = list_models()
CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 160, "vocab_size": 320,
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_every_packaged_model_is_described_without_a_contradiction(name):
    told = describe_model(name)
    assert told.name == name
    assert told.source
    assert 0 < told.active_parameters <= told.parameters
    assert sum(told.parameters_by_role.values()) == told.parameters
    assert sum(layer.count for layer in told.layer_kinds) == told.layers
    assert sum(layer.count * layer.parameters for layer in told.layer_kinds) <= told.parameters
    assert 0 < told.causal_forward_flop <= told.forward_flop
    assert told.forward_flop >= 2 * told.sequence_tokens * told.batch * told.active_parameters * 0.3
    for layer in told.layer_kinds:
        assert 0 <= layer.experts_per_token <= max(layer.experts, 0) or layer.experts == 0
    formats = told.weight_bytes_by_format
    assert formats["bf16"] >= formats["fp8"] >= formats["int4"] > 0
    assert told.weight_bytes <= 4 * (told.parameters + told.draft_parameters) * 1.2


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(MODELS), tokens=st.integers(1, MOST_TOKENS), batch=st.integers(1, 1024))
def test_any_length_and_batch_is_counted_and_the_mask_only_saves(name, tokens, batch):
    told = describe_model(name, tokens, batch)
    assert 0 < told.causal_forward_flop <= told.forward_flop < math.inf
    assert told.kv_bytes_per_sequence <= told.kv_bytes_per_token * tokens * (1 + 1e-9)


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(MODELS), tokens=st.integers(1, 2**20), more=st.integers(1, 2**20))
def test_a_longer_sequence_never_takes_less(name, tokens, more):
    short, long = describe_model(name, tokens), describe_model(name, tokens + more)
    assert long.forward_flop > short.forward_flop
    assert long.causal_forward_flop > short.causal_forward_flop
    assert long.kv_bytes_per_sequence >= short.kv_bytes_per_sequence
    assert long.parameters == short.parameters


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(MODELS), batch=st.integers(1, 4096))
def test_a_batch_is_so_many_sequences(name, batch):
    one, many = describe_model(name, 128), describe_model(name, 128, batch)
    assert many.forward_flop == pytest.approx(batch * one.forward_flop, rel=1e-12)
    assert many.kv_bytes_per_sequence == one.kv_bytes_per_sequence


def test_names_are_known_in_any_case():
    assert find_model("qwen/qwen3-8b") == find_model("QWEN/Qwen3-8B")


def test_a_file_a_folder_and_the_text_of_a_path_are_one_model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    assert find_model(str(tmp_path)).runs == find_model(str(tmp_path / "config.json")).runs
    assert is_config(str(tmp_path))
    assert not is_config("")
    assert not is_config("x" * 5000)
    assert sum(roles(find_model(str(tmp_path))).values()) == describe_model(str(tmp_path)).parameters


@pytest.mark.parametrize("tokens", [0, -1, MOST_TOKENS + 1, 10**30])
def test_both_numbers_of_a_model_are_refused_at_once(tokens):
    with pytest.raises(InputError) as caught:
        describe_model("Qwen/Qwen3-8B", tokens, tokens)
    assert [fault.place for fault in caught.value.faults] == ["--seq-len", "--batch"]


def ask(**changes):
    return serve(ServingQuestion(**({"model": "Qwen/Qwen3-8B", "system": "H100-SXM", "input_tokens": 512.0} | changes)))


@pytest.mark.parametrize("flight", [1.0, 4.0, 16.0, 64.0])
def test_a_setting_agrees_with_itself(flight):
    told = ask(concurrency=flight)
    assert told.concurrency == flight
    assert told.total_tokens_per_s >= told.output_tokens_per_s
    assert told.requests_per_s * 256 == pytest.approx(told.output_tokens_per_s)
    assert sum(told.bytes_by_cause.values()) == pytest.approx(told.memory_bytes, rel=1e-6)
    assert told.accelerators == told.replicas * told.layout.accelerators
    assert set(told.band) >= {"ttft_seconds", "tpot_seconds", "output_tokens_per_s"}


def test_more_in_flight_serves_more_and_waits_longer():
    told = [ask(concurrency=flight) for flight in (1.0, 4.0, 16.0, 64.0)]
    rates, waits = [one.output_tokens_per_s for one in told], [one.tpot_seconds for one in told]
    assert rates == sorted(rates)
    assert waits == sorted(waits)


@settings(max_examples=12, deadline=None)
@given(rate=st.floats(0.1, 1e5), headroom=st.floats(0.0, 0.9))
def test_replicas_hold_the_rate_with_the_headroom_and_not_one_is_idle(rate, headroom):
    told = ask(concurrency=16.0, rate_per_s=rate, headroom=headroom)
    each = told.requests_per_s * (1 - headroom)
    assert told.replicas * each >= rate * (1 - 1e-9)
    assert (told.replicas - 1) * each < rate * (1 + 1e-9)


def test_without_a_rate_one_replica_is_told():
    assert ask(concurrency=4.0).replicas == 1


def test_a_looser_target_never_serves_less():
    rates = [ask(tpot_limit_seconds=limit).output_tokens_per_s / ask(tpot_limit_seconds=limit).accelerators
             for limit in (0.01, 0.03, 0.1)]  # fmt: skip
    assert rates == sorted(rates)


def test_others_come_behind_the_best_and_no_more_than_asked():
    told = ask(tpot_limit_seconds=0.05, keep=3)
    assert len(told.others) <= 2
    best = told.output_tokens_per_s / told.accelerators
    for other in told.others:
        assert other.output_tokens_per_s / other.layout.accelerators <= best * (1 + 1e-9)
        assert other.tpot_seconds <= 0.05


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens", "concurrency", "rate_per_s", "draft_tokens"])
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -1.0, 1e300])
def test_a_number_that_is_none_is_refused(field, wrong):
    with pytest.raises(InputError):
        ask(**{field: wrong})


def test_every_wrong_number_is_told_at_once():
    with pytest.raises(InputError) as caught:
        ask(input_tokens=0.0, output_tokens=-1.0, tensor=0, headroom=1.0, prefix_hit_share=-0.1, draft_tokens=-1.0)
    assert len(caught.value.faults) == 6


@pytest.mark.parametrize(
    ("field", "said"), [("system", "nothing"), ("model", "nobody"), ("engine", "vlm"), ("weight_format", "fp7")]
)
def test_an_unknown_name_is_refused(field, said):
    with pytest.raises(InputError, match=said):
        ask(**{field: said})


def test_what_nothing_meets_is_infeasible():
    with pytest.raises(InfeasibleError, match="closest"):
        ask(tpot_limit_seconds=1e-9)


DATES = ("2022-12", "2023-05", "2024-06", "2026-11")


@functools.cache
def look(date, region):
    return market(date, region)


@pytest.mark.parametrize("region", ["China", "US"])
def test_what_was_known_stays_known(region):
    known = [{line.offer.id for line in look(date, region).offers} for date in DATES]
    for earlier, later in itertools.pairwise(known):
        assert earlier <= later
    assert known[0] < known[-1]


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("region", ["China", "US"])
def test_a_market_tells_what_could_be_had_and_in_one_currency(date, region):
    told = look(date, region)
    assert told.currency == ("CNY" if region == "China" else "USD")
    assert [line.system_id for line in told.systems] == sorted({line.system_id for line in told.systems})
    for line in told.systems:
        assert line.purchase is not None or line.rent_month is not None
        assert line.lead_time.seconds.low <= line.lead_time.seconds.value <= line.lead_time.seconds.high
        for quote in (line.purchase, line.rent_month, line.rent_reserved):
            if quote is not None:
                price = quote.price if hasattr(quote, "price") else quote.price_per_system_month
                assert price.unit.startswith(told.currency)
                assert 0 < price.low <= price.value <= price.high
    for line in told.offers:
        assert last_day(line.offer.date) <= last_day(date)


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_a_price_in_another_currency_is_the_same_price(currency):
    here = market("2023-05", "China", "dgx-a800-640").systems[0].purchase.price
    there = market("2023-05", "China", "dgx-a800-640", currency).systems[0].purchase.price
    assert there.high / there.low == pytest.approx(here.high / here.low, rel=0.02)
    assert there.unit == currency


def test_an_item_is_found_by_what_people_call_it():
    assert market("2023-05", "China", "8x A800 box").systems == market("2023-05", "China", "dgx-a800-640").systems


def test_the_catalogue_is_listed_in_order_and_narrowed_by_words():
    whole = catalogue_api.accelerators()
    assert [one.id for one in whole] == sorted({one.id for one in whole})
    chinese = catalogue_api.accelerators(origin="cn")
    assert 0 < len(chinese) < len(whole)
    assert all(one.origin == "CN" for one in chinese)
    assert catalogue_api.accelerators(vendor="no such vendor") == ()
    assert catalogue_api.systems(origin="CN")
    assert all(one.accelerator.origin == "CN" for one in catalogue_api.systems(origin="CN"))
    assert catalogue_api.offers("no-such-item") == ()


@pytest.mark.parametrize("name", [one.id for one in (*catalogue_api.accelerators(), *catalogue_api.systems())])
def test_every_product_is_shown_with_figures_of_known_sources(name):
    item = catalogue_api.show(name)
    assert item.id == name
    known = {source.key for source in catalogue_api.sources()}
    told = catalogue_api.figures(item)
    assert told
    for title, figure in told:
        assert figure.low <= figure.value <= figure.high, title
        assert figure.source in known, title
        assert figure.date, title


def test_sources_have_titles_and_dates_and_stand_on_their_page():
    page = catalogue_api.sources_page()
    for source in catalogue_api.sources():
        assert source.title
        assert last_day(source.date)
        assert f"`{source.key}`" in page


def test_the_template_is_one_scenario_in_every_language(tmp_path):
    from suanli.catalogue.scenario import load_scenario
    from suanli.planner.names import known_names

    read = {}
    for lang in LANGUAGES:
        written = init(tmp_path / f"{lang}.yaml", lang)
        read[lang] = dataclasses.replace(load_scenario(written.path, known_names()), path="")
    quotes = {lang: [quote.price for quote in one.market.quotes] for lang, one in read.items()}
    assert quotes["en"] == quotes["zh"]
    assert read["en"].workloads == read["zh"].workloads
    assert read["en"].months == read["zh"].months
    assert template("en") != template("zh")


def test_the_schema_is_json_and_lies_beside_the_scenario(tmp_path):
    written = init(tmp_path, "en")
    assert json.loads(schema())["type"] == "object"
    assert Path(written.schema_path).read_text("utf-8") == schema()


def test_a_template_in_no_language_is_refused(tmp_path):
    with pytest.raises(InputError, match="fr"):
        init(tmp_path, "fr")
    assert list(tmp_path.iterdir()) == []
