"""`suanli init`: a commented scenario to start from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suanli.api.init import init, schema
from suanli.cli.app import app
from suanli.cli.output import JsonFlag, LangOption, guarded, print_json
from suanli.foundation.language import language, tr

PathArgument = Annotated[Path, typer.Argument(help="File to write, or a folder for scenario.yaml.")]
SchemaFlag = Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of scenario files instead.")]


@app.command("init")
@guarded
def init_command(
    path: PathArgument = Path("scenario.yaml"),
    print_schema: SchemaFlag = False,
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Write a commented scenario to start from (生成带注释的场景文件)."""
    if print_schema:
        sys.stdout.write(schema())
        return
    written = init(path, language())
    if json_output:
        print_json(written)
        return
    print(tr("Wrote {path}. Change what you know, then run: suanli plan {path}", path=written.path))
