"""What a `pip install --dry-run --report` would download: how many files, and how large.

Needs nothing but Python: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

_UNKNOWN = 0


def size_of(url: str) -> int:
    """Return the size in bytes of the file at `url`, 0 if nobody says."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).stat().st_size
    try:
        with urlopen(Request(url, method="HEAD"), timeout=10) as answer:  # noqa: S310 - pip chose the URL, and will fetch it
            return int(answer.headers.get("Content-Length") or _UNKNOWN)
    except (URLError, OSError, ValueError):
        return _UNKNOWN


def describe(report: dict[str, Any]) -> str:
    """Say it in one line: the first package by name, the others by number, and megabytes in all."""
    packages = report["install"]
    if not packages:
        return "nothing"
    sizes = [size_of(package["download_info"]["url"]) for package in packages]
    torch = next((package for package in packages if package["metadata"]["name"] == "torch"), packages[0])
    others = f" and {len(packages) - 1} packages that it needs" if len(packages) > 1 else ""
    unknown = sizes.count(_UNKNOWN)
    more = f", and {unknown} files of unknown size" if unknown else ""
    return f"{torch['metadata']['name']} {torch['metadata']['version']}{others}: {sum(sizes) / 1e6:,.0f} MB{more}"


def is_cpu_build(report: dict[str, Any]) -> bool:
    """Whether none of the packages is a part of CUDA."""
    return not any(package["metadata"]["name"].startswith(("nvidia-", "cuda-")) for package in report["install"])


def main() -> int:
    """Print the line, or with `--is-cpu-build` answer by the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--is-cpu-build", action="store_true")
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text(encoding="utf-8"))
    if arguments.is_cpu_build:
        return 0 if is_cpu_build(report) else 1
    sys.stdout.write(describe(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
