"""Try an installed `gpuaudit` as a user would: the data files are in the wheel, and no extra is needed.

Usage: smoke.py GPUAUDIT, in an empty folder.
"""

from __future__ import annotations

import subprocess
import sys

# Each command with the exit status that it must have.
_RUNS: list[tuple[int, list[str]]] = [
    (0, ["--version"]),
    (0, ["--help"]),
    (0, ["attest", "--simulate", "a100-sxm4-80gb:2", "--out", "out"]),
    (0, ["verify", "out/evidence.json"]),
    (2, ["attest", "--simulate", "a100-sxm4-80gb:2", "--out", "out"]),
    (2, ["attest", "--simulate", "no-such-card", "--out", "other"]),
    (0, ["audit", "--simulate", "a100-sxm4-80gb:8", "--tender", "sustech-2024", "--allow-simulated", "--out", "eight"]),
    (13, ["audit", "--simulate", "a100-sxm4-80gb:8", "--tender", "sustech-2024", "--out", "not-allowed"]),
    (10, ["audit", "--simulate", "a800-sxm4-80gb:8", "--tender", "sustech-2024", "--out", "a800"]),
    (0, ["appraise", "eight/evidence.json", "--tender", "sustech-2024", "--allow-simulated"]),
    (0, ["verify", "eight/result.json"]),
    (0, ["rules", "list"]),
]


def main() -> int:
    """Run all, stop at the first that ends otherwise than it must."""
    program = sys.argv[1]
    for expected, arguments in _RUNS:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        sys.stdout.write(
            f"{'ok' if done.returncode == expected else 'NOT OK'} {done.returncode} gpuaudit {' '.join(arguments)}\n"
        )
        if done.returncode != expected:
            sys.stdout.write(f"expected {expected}\n{done.stdout}{done.stderr}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
