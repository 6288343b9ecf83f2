"""Appraisal policies: which bases may confirm, which may refute. Data, one file each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from gpuaudit.appraisal.result import Basis
from gpuaudit.errors import UsageError
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml


@entry
class Policy:
    """How the bases fold into one verdict.

    `confirms`: all of these must hold, for one and the same product; empty means that this policy never confirms. `refutes`: any
    of these is enough. `accepts_unsigned` lets captures in, which nobody signed.
    """

    schema: Literal[1]
    name: str
    description: str
    confirms: tuple[Basis, ...]
    refutes: tuple[Basis, ...]
    accepts_unsigned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPolicy:
    """A policy with the digest of its file."""

    policy: Policy
    sha256: str


def known_policies() -> tuple[str, ...]:
    """Return the names of the policies that come with gpuaudit."""
    folder = resources.files("gpuaudit.appraisal").joinpath("policies")
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def load_policy(name: str) -> LoadedPolicy:
    """Read one of the policies that come with gpuaudit.

    Raises:
        UsageError: There is no policy of that name.
    """
    if name not in known_policies():
        raise UsageError(f"--policy: no policy {name!r}; expected one of {', '.join(known_policies())}")
    data = resources.files("gpuaudit.appraisal").joinpath("policies", f"{name}.toml").read_bytes()
    policy = load_toml(Policy, data, place=f"{name}.toml")
    return LoadedPolicy(policy=policy, sha256=hashlib.sha256(data).hexdigest())
