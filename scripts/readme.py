"""Write into README.md what the program itself prints: help, exit statuses, and what a run looks like.

Such a place is an HTML comment, `<!-- help: verify -->`, `<!-- exits -->` or `<!-- run: audit … -->`, and what stands below it.

    python scripts/readme.py            write help and exit statuses
    python scripts/readme.py --runs     write what runs print too; they carry nonces and dates, so they are not compared
    python scripts/readme.py --check    exit 1 where README.md and the program differ
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from gpuaudit.cli.app import run
from gpuaudit.cli.exits import MEANINGS

README = Path(__file__).parents[1] / "README.md"
_HELP = re.compile(r"<!-- help:(?P<command>[^>]*?) ?-->\n\n```text\n.*?```\n", re.DOTALL)
_RUN = re.compile(r"<!-- run: (?P<command>[^>]*?) -->\n\n```text\n.*?```\n", re.DOTALL)
_EXITS = re.compile(r"<!-- exits -->\n\n(?:\|.*\n)*")


def written(readme: str) -> str:
    """Return the README with the program's own help and exit statuses."""
    return _EXITS.sub(lambda _: _exits(), _HELP.sub(lambda match: _help(match["command"].split()), readme))


def with_runs(readme: str) -> str:
    """Return the README with what its runs print now, on this machine."""
    return _RUN.sub(lambda match: _run(match["command"]), readme)


def _help(command: list[str]) -> str:
    code, printed = _printed([*command, "--help"])
    if code != 0:
        raise SystemExit(f"README.md: gpuaudit {' '.join(command)} --help exits {code}")
    name = "".join(f" {word}" for word in command)
    return f"<!-- help:{name} -->\n\n```text\n$ gpuaudit{name} --help\n{printed}```\n"


def _run(command: str) -> str:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["XDG_CONFIG_HOME"] = folder
        # A key that is there already: where the first one was made is nobody's business.
        _printed(["keys", "new"])
        code, printed = _printed(shlex.split(command))
    return f"<!-- run: {command} -->\n\n```text\n$ ./scripts/{command}\n{printed}$ echo $?\n{code}\n```\n"


def _printed(arguments: list[str]) -> tuple[int, str]:
    both = io.StringIO()
    with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
        code = run(arguments)
    return code, both.getvalue()


def _exits() -> str:
    rows = "".join(f"| {int(code)} | {meaning} |\n" for code, meaning in MEANINGS.items())
    return f"<!-- exits -->\n\n| status | meaning |\n| ---: | --- |\n{rows}"


def main() -> int:
    """Write the README, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--runs", action="store_true")
    arguments = parser.parse_args()
    found = README.read_text(encoding="utf-8")
    expected = written(found)
    if not arguments.check:
        README.write_text(with_runs(expected) if arguments.runs else expected, encoding="utf-8")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(found.splitlines(keepends=True), expected.splitlines(keepends=True), "README.md", "the program")
    )
    return int(found != expected)


if __name__ == "__main__":
    sys.exit(main())
