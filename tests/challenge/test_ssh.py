"""How ssh is called: nothing of the verifier's goes along, and a host's name is never an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuaudit.challenge.ssh import Destination, command_line
from gpuaudit.errors import UsageError

LOG = Path("log")


@pytest.mark.parametrize("host", ["gpu1", "root@10.0.0.1", "a_b.example.org", "[::1]", "user%40x@host"])
def test_names_and_addresses_are_hosts(host: str) -> None:
    arguments = command_line(Destination(host=host, command=("gpuaudit", "challenge")), LOG)
    assert arguments[-3:] == ["--", host, "gpuaudit challenge"]


@pytest.mark.parametrize(
    "host",
    ["-oProxyCommand=touch x", "--", "-F/etc/passwd", "", "a b", "a\nb", "a\x1b[31m", "$(touch x)", "`id`", "a;b", "a" * 300],
)
def test_nothing_else_is(host: str) -> None:
    with pytest.raises(UsageError, match="HOST"):
        command_line(Destination(host=host, command=("x",)), LOG)


@pytest.mark.parametrize(
    "option",
    [
        "-T",
        "-a",
        "-x",
        "-oForwardAgent=no",
        "-oClearAllForwardings=yes",
        "-oPermitLocalCommand=no",
        "-oControlPath=none",
        "-oCompression=no",
        "-oStrictHostKeyChecking=yes",
        "-oServerAliveInterval=5",
    ],
)
def test_every_protection_comes_before_the_users_own_configuration(option: str) -> None:
    """ssh takes the first value that it is given, and the command line before any file."""
    arguments = command_line(Destination(host="h", command=("x",), config="mine"), LOG)
    assert arguments.index(option) < arguments.index("-Fmine") < arguments.index("--")


def test_the_remote_command_is_quoted_for_the_shell_there() -> None:
    arguments = command_line(Destination(host="h", command=("a b", "$(id)")), LOG)
    assert arguments[-1] == "'a b' '$(id)'"
