"""How many requests a second `suanli replay` plays: Llama-3-8B on one A100, lengths of Azure's conversations.

    python benchmarks/replay_rate.py [REQUESTS]

Every step is timed by the step model itself; the first play, which compiles or loads compiled code, is told apart.
Seconds are of CPU time, so that other work on the machine does not count. Run twice with an empty SUANLI_CACHE, the
first run plays code that it compiled itself, the second the same code from the disk.
"""

from __future__ import annotations

import resource
import sys
import time

from suanli.api.replay import ReplayQuestion, replay

MIB_IN_KIB = 2**10


def main() -> None:
    many = int(float(sys.argv[1])) if len(sys.argv) > 1 else 100_000
    print("| requests a second offered | requests | steps | seconds | requests a second played |")
    print("| --: | --: | --: | --: | --: |")
    for requests, rate in ((1000, 6.45), (1000, 6.45), (many, 3.0), (many, 6.45)):
        asked = ReplayQuestion(
            model="LLAMA3_8B", system="dgx-a100-640", traffic="azure-2023-conv", requests=requests, rate_per_s=rate
        )
        began = time.process_time()
        told = replay(asked)
        spent = time.process_time() - began
        print(f"| {rate} | {told.requests:,} | {told.steps:,} | {spent:.2f} | {told.requests / spent:,.0f} |")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB_IN_KIB:,.0f} MiB")


if __name__ == "__main__":
    main()
