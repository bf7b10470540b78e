"""Plays a trace through Vidur, inside Vidur's own environment; run by replay_against_vidur.py.

    python vidur_run.py PROFILES TRACE CHUNK BATCH

PROFILES is a folder with mlp.csv.xz, attention.csv.xz and config.json in the form that Vidur downloads; TRACE has the
columns Date, Time, PromptTokenCount, CompletionTokenCount that it replays. Its downloads are turned to the folder, its
grid of random forests is cut to one point, plots and Chrome trace are off: the fastest that its own options allow.
Prints one line of JSON; seconds are of CPU time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

BEGAN = time.process_time()

import numpy as np  # noqa: E402
from vidur.config import config as vidur_config  # noqa: E402
from vidur.execution_time_predictor import sklearn_execution_time_predictor as predictor  # noqa: E402
from vidur.request_generator.trace_replay_request_generator import TraceReplayRequestGenerator  # noqa: E402
from vidur.simulator import Simulator  # noqa: E402
from vidur.utils.random import set_seeds  # noqa: E402

DATE = "2023-11-16"
MOST_TOKENS = 4096
"""Prompt and answer together: what Vidur predicts for by default in its replays."""
KEPT: list[object] = []


def local_profiles(folder: Path) -> None:
    """Let Vidur read the folder where it would download, and refuse what only a download has."""

    def snapshot(repo_id: str, **_: object) -> str:
        if "predictions" in repo_id:
            raise FileNotFoundError(repo_id)
        return str(folder)

    predictor.snapshot_download = snapshot


def keep_requests() -> None:
    """Keep the requests that Vidur makes, to read what became of them."""
    make = TraceReplayRequestGenerator.generate_requests

    def kept(self: TraceReplayRequestGenerator) -> list[object]:
        KEPT.extend(make(self))
        return KEPT

    TraceReplayRequestGenerator.generate_requests = kept


def settings(trace: Path, chunk: int, batch: int, cache: Path) -> vidur_config.SimulationConfig:
    """Write the question as Vidur's own configuration: Llama-3-8B, one A100, Sarathi."""
    return vidur_config.SimulationConfig(
        log_level="warning",
        cluster_config=vidur_config.ClusterConfig(
            replica_config=vidur_config.ReplicaConfig(
                model_name="meta-llama/Llama-3-8B", device="a100", network_device="a100_dgx", tensor_parallel_size=1,
                num_pipeline_stages=1,
            ),
            replica_scheduler_config=vidur_config.SarathiSchedulerConfig(chunk_size=chunk, batch_size_cap=batch),
        ),
        request_generator_config=vidur_config.TraceRequestGeneratorConfig(
            trace_file=str(trace), date=DATE, prefill_scale_factor=1.0, decode_scale_factor=1.0, time_scale_factor=1.0,
            max_tokens=MOST_TOKENS,
        ),
        execution_time_predictor_config=vidur_config.RandomForrestExecutionTimePredictorConfig(
            num_estimators=[250], max_depth=[32], min_samples_split=[2], k_fold_cv_splits=2,
            prediction_max_tokens_per_request=MOST_TOKENS, prediction_max_batch_size=batch,
            prediction_max_prefill_chunk_size=chunk, cache_dir=str(cache),
        ),
        metrics_config=vidur_config.MetricsConfig(
            write_metrics=False, enable_chrome_trace=False, store_plots=False, output_dir=str(cache / "output")
        ),
    )  # fmt: skip


def told() -> dict[str, list[float]]:
    """Read seconds of every request: to its first token, between tokens, to its end."""
    first = np.array([one.prefill_completed_at - one.arrived_at for one in KEPT])
    whole = np.array([one.completed_at - one.arrived_at for one in KEPT])
    later = np.array([one.num_decode_tokens - 1 for one in KEPT])
    spread = ((whole - first) / np.maximum(later, 1))[later > 0]
    return {"ttft": first.tolist(), "tpot": spread.tolist(), "e2e": whole.tolist()}


def main() -> None:
    profiles, trace, chunk, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    imported = time.process_time()
    local_profiles(profiles)
    keep_requests()
    set_seeds(0)
    simulator = Simulator(settings(trace, chunk, batch, profiles / "cache"))
    made = time.process_time()
    simulator.run()
    played = time.process_time()
    seconds = {"import": imported - BEGAN, "open": made - imported, "play": played - made}
    print(json.dumps({"requests": len(KEPT), "seconds": seconds, **told()}))


if __name__ == "__main__":
    main()
