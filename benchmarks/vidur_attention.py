"""Writes attention times of one A100 in the form of Vidur's profiles, inside the environment of aiconfigurator-core.

    python vidur_attention.py OUT.csv.xz

Vidur's repository no longer carries the attention profile of Llama-3-8B, so the times measured for vLLM on an A100 that
aiconfigurator-core carries stand in: 32 query and 8 key-value heads of 128, BF16. A chunk behind a cache takes what a
prompt of both takes less what one of the cache alone takes, between measured lengths on a straight line.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd

HEADS, CACHED_HEADS, HEAD, EMBEDDING = 32, 8, 128, 4096
MOST_TOKENS, STEP, BATCH = 4096, 256, 128
CHUNKS = range(32, MOST_TOKENS + 1, 32)
TABLES = Path(importlib.util.find_spec("aiconfigurator_core").origin).parent / "systems/data/a100_sxm/attention/vllm"


def measured(name: str) -> pd.DataFrame:
    """Read the rows of the model's heads from the newest table of a kind."""
    path = sorted(TABLES.glob(f"*/{name}_attention_perf.parquet"))[-1]
    table = pd.read_parquet(path)
    ours = (table.num_heads == HEADS) & (table.num_key_value_heads == CACHED_HEADS) & (table.head_dim == HEAD)
    return table[ours]


def prefill() -> list[dict[str, float]]:
    """Return times of chunks behind caches, batch 1."""
    alone = measured("context").query("batch_size == 1").groupby("isl").latency.median()
    lengths, times = alone.index.to_numpy(float), np.maximum.accumulate(alone.to_numpy())
    rows = []
    for cache in range(0, MOST_TOKENS + 1, STEP):
        before = np.interp(cache, lengths, times) if cache else 0.0
        floor = times[0]
        for chunk in CHUNKS:
            spent = max(np.interp(cache + chunk, lengths, times) - before, floor)
            rows.append({"batch_size": 1, "prefill_chunk_size": chunk, "kv_cache_size": cache, "attn_prefill": spent})
    return rows


def decode() -> list[dict[str, float]]:
    """Return times of batches that decode behind caches."""
    table = measured("generation").query("batch_size <= @BATCH and step <= @MOST_TOKENS")
    return [
        {"batch_size": row.batch_size, "prefill_chunk_size": 0, "kv_cache_size": row.step + 1,
         "attn_decode": row.latency}
        for row in table.itertuples()
    ]  # fmt: skip


def main() -> None:
    table = pd.DataFrame([*prefill(), *decode()])
    table = table.rename(columns={name: f"time_stats.{name}.median" for name in ("attn_prefill", "attn_decode")})
    table["time_stats.attn_kv_cache_save.median"] = 0.0
    fixed = {"n_embd": EMBEDDING, "n_q_head": HEADS, "n_kv_head": CACHED_HEADS, "block_size": 16}
    table.assign(**fixed, num_tensor_parallel_workers=1).to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
