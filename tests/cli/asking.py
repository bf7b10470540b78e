"""Asking the command line in this process, and expecting a refusal."""

from typer.testing import CliRunner

from suanli.cli.app import app

RUN = CliRunner()
TRAIN = ("train", "--model", "LLaMA2-7B", "--system", "dgx-a100-640")
SERVE = ("serve", "--model", "meta-llama/Llama-3.1-8B", "--system", "H100-SXM")
CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 160, "vocab_size": 320,
}  # fmt: skip


def run(*words):
    return RUN.invoke(app, [*map(str, words), "--lang", "en"])


def refused(*words, code=2):
    """Ask, and expect a refusal: its exit code, words on standard error, nothing on standard output."""
    told = run(*words)
    assert told.exit_code == code, (words, told.exit_code, told.stderr, told.exception)
    assert told.exception is None or isinstance(told.exception, SystemExit)
    assert told.stdout == ""
    assert told.stderr.strip()
    assert "Traceback" not in told.stderr
    return told.stderr
