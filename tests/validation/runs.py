"""Rows of run tables, made up for tests."""

import csv

COLUMNS = (
    "id", "source", "date", "workload", "model_name", "arch", "params_b", "layers", "hidden", "heads", "kv_heads",
    "head_dim", "ffn_hidden", "vocab", "gated_mlp", "experts", "experts_per_token", "seq_len", "micro_batch",
    "global_batch", "gpus", "accelerator", "interconnect", "precision", "tp", "pp", "vp", "dp", "cp", "ep", "sharding",
    "recompute", "flash_attention", "framework", "step_time_s", "tokens_per_s_per_gpu", "peak_mem_gb", "notes",
)  # fmt: skip
DENSE = {
    "id": "run-1", "source": "ours", "date": "2024-01-01", "workload": "pretrain", "model_name": "GPT-13B",
    "arch": "gpt",
    "layers": "40", "hidden": "5120", "heads": "40", "ffn_hidden": "20480", "vocab": "50257", "gated_mlp": "0",
    "seq_len": "2048", "micro_batch": "2", "global_batch": "256", "gpus": "16", "accelerator": "A100-80GB-SXM",
    "precision": "bf16", "tp": "2", "pp": "1", "vp": "1", "dp": "8", "cp": "1", "sharding": "zero1",
    "recompute": "none",
    "flash_attention": "1", "framework": "Megatron-LM core", "step_time_s": "30",
}  # fmt: skip


def write(path, *rows, columns=COLUMNS):
    """Write rows as a table; what a row leaves out is empty."""
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, fieldnames=columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({column: row.get(column, "") for column in columns})
    return path
