"""Options of traffic that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

TrafficOption = Annotated[
    str,
    typer.Option(
        "--traffic",
        help="A file of requests, or azure-2023-conv, azure-2023-code, sharegpt, mooncake-conversation, agentic.",
    ),
]
RequestsOption = Annotated[
    int | None, typer.Option("--requests", help="How many requests, from the first on.", show_default=False)
]
LikeFlag = Annotated[bool, typer.Option("--like", help="Generate requests like the file's instead of reading them.")]
RateOption = Annotated[
    float | None, typer.Option("--rate", help="Requests per second that arrivals are brought to.", show_default=False)
]
GapOption = Annotated[
    float | None,
    typer.Option("--gap-variation", help="How uneven gaps are, generated: 1 Poisson, 0.1 even.", show_default=False),
]
SwingOption = Annotated[
    float | None,
    typer.Option("--daily-swing", help="How far the rate swings over a day, generated: 0 to 1.", show_default=False),
]
TurnsOption = Annotated[
    float | None, typer.Option("--turns", help="Turns of a conversation, generated.", show_default=False)
]
SystemTokensOption = Annotated[
    int | None, typer.Option("--system-tokens", help="Tokens that all generated prompts share.", show_default=False)
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed generates the same traffic.")]
