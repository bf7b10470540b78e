"""A plan as one page that opens anywhere: no other file, no network, nothing that runs but our own scripts."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suanli.domain.plan import Plan
from suanli.foundation.language import language, tr
from suanli.report import charts, story, tables
from suanli.report.files import needed, write_whole
from suanli.report.grammar import Chart
from suanli.report.words import word

FOLDER = Path(__file__).parent
SCRIPTS = ("vendor/vega.min.js", "vendor/vega-lite.min.js", "vendor/vega-interpreter.js", "templates/report.js")
"""The page's scripts in order: the chart library, its grammar, its reader of expressions without eval, and ours."""
EPOCH_WORDS = "epoch"
WHOLE = re.compile(r"\d{4}-\d{2}|\b[A-Z]{3} -?\d[\d,.]*( [TBM]\b)?|-?\d[\d,.]* [万亿]?(美|欧|日)?元|\d[\d,.]* %")
"""Months, amounts and shares, which stand on one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One workload on the page: its name and its own charts."""

    title: str
    note: str
    charts: tuple[Chart, ...]


def write(plan: Plan, path: Path) -> Path:
    """Write the page of a plan and return its path."""
    write_whole(Path(path), page(plan).encode())
    return Path(path)


def page(plan: Plan) -> str:
    """Return the page of a plan in the language in force."""
    drawn = charts.of_plan(plan)
    return render(
        "report.html.j2",
        plan=plan,
        title=f"{plan.title} · {tr('Computing plan')}",
        version=plan.suanli_version,
        decision=story.decision(plan),
        facts=story.facts(plan),
        steps=story.steps(plan),
        chart={one.key: one for one in drawn},
        parts=_parts(plan, drawn),
        specs={one.key: one.spec for one in drawn},
        region=word(plan.region),
        status=word(plan.recommended.solver.status),
        late=[work for work in plan.recommended.workloads if work.target_month and work.finish_p80 > work.target_month],
        estimates_assume=_estimates_assume(plan),
        credit_epoch=any(EPOCH_WORDS in f"{source.key} {source.title}".lower() for source in plan.sources),
        table={name: getattr(tables, name)(plan) for name in TABLES},
    )


def render(name: str, **values: Any) -> str:
    """Fill a page's template in, with what every page carries: language, policy, style and scripts."""
    scripts = [_text(script) for script in SCRIPTS]
    page_text: str = _template(name).render(
        lang={"zh": "zh-CN"}.get(language(), "en"),
        policy=_policy(scripts),
        style=_text("templates/report.css"),
        scripts=scripts,
        **values,
    )
    return page_text


TABLES = ("orders", "rents", "workloads", "alternatives", "flips", "assumed", "sources")


def _parts(plan: Plan, drawn: tuple[Chart, ...]) -> list[Part]:
    return [
        Part(
            title=work.id,
            note=f"{work.model_name} · {work.system_name}",
            charts=tuple(one for one in drawn if one.key in (f"seconds-{index}", f"bytes-{index}")),
        )
        for index, work in enumerate(plan.recommended.workloads)
    ]


def _estimates_assume(plan: Plan) -> list[str]:
    """List what the estimates behind the workloads assumed, each thing once."""
    said: dict[str, None] = {}
    for work in plan.recommended.workloads:
        for estimate in (work.training, work.serving):
            said.update(dict.fromkeys(estimate.assumed if estimate else ()))
    return list(said)


def _policy(scripts: list[str]) -> str:
    """Allow our own scripts by their hashes, style within the page, and nothing from anywhere else."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "connect-src 'none'; form-action 'none'; base-uri 'none'"
    )


def whole(text: str) -> Any:
    """Mark up a sentence so that no line breaks within a month or an amount; everything else is escaped."""
    markupsafe = needed("markupsafe")
    return markupsafe.Markup(WHOLE.sub(r'<span class="w">\g<0></span>', str(markupsafe.escape(text))))


@functools.cache
def _text(name: str) -> str:
    """Read a file of this package; carriage returns would break its hash, so there are none."""
    return (FOLDER / name).read_text(encoding="utf-8").replace("\r\n", "\n")


@functools.cache
def _template(name: str) -> Any:
    jinja2 = needed("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["tr"] = tr
    environment.filters["whole"] = whole
    return environment.get_template(name)
