"""`gpuaudit challenge ssh` from far away: an honest machine is accepted, and the way there and back lowers its floors."""

from __future__ import annotations

import base64
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpuaudit.challenge.floors import Floors, work_floors
from gpuaudit.challenge.result import Accepted, ChallengeResult, Timed
from gpuaudit.evidence.codec import dump, load
from gpuaudit.units import Seconds
from tests.challenge.distance import FarSite, RefusedHereError, far_site, slow_relay
from tests.challenge.sshd import Server, installed_program, needs_sshd, rehearsed_over_ssh, sshd
from tests.cli.conftest import Gpuaudit

pytest.importorskip("torch", reason="torch is not installed")

DELAY = 0.04
_PAIRS = 4
THERE_AND_BACK = 2 * DELAY
STAMPED = Path(__file__).parents[1] / "challenge" / "stamped.py"

pytestmark = [needs_sshd, pytest.mark.alone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage on the verifier's clock and at the machine itself, in seconds."""

    verifier: float
    machine: float

    @property
    def way(self) -> float:
        return self.verifier - self.machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """An accepted rehearsal, both of its stages, and the floors that follow from either clock's times."""

    result: ChallengeResult
    fill: Stage
    walk: Stage

    def share_of_arithmetic(self) -> float:
        """Return the floor of arithmetic by the verifier's clock, as a share of what the machine's own would give."""
        here, there = self._floors()
        return here.operations_per_second / there.operations_per_second

    def share_of_lookups(self) -> float:
        """Return the same for the floor of lookups."""
        here, there = self._floors()
        return here.lookup_bytes_per_second / there.lookup_bytes_per_second

    def _floors(self) -> tuple[Floors, Floors]:
        sizes, assumed = self.result.sizes, self.result.assumed
        return (
            work_floors(sizes, assumed, fill=Seconds(self.fill.verifier), walk=Seconds(self.walk.verifier)),
            work_floors(sizes, assumed, fill=Seconds(self.fill.machine), walk=Seconds(self.walk.machine)),
        )


@dataclass
class Verifier:
    """Rehearses one challenge after another by way of a server, from a folder of its own each time."""

    gpuaudit: Gpuaudit
    folder: Path
    times: int = 0

    def rehearse(self, config: Path) -> Rehearsed:
        self.times += 1
        there, proof = self.folder / f"there-{self.times}", self.folder / f"proof-{self.times}"
        there.mkdir()
        stamps = there / "stamps.json"
        begun_by = shlex.join([sys.executable, str(STAMPED), str(stamps)])
        program = installed_program(there, begun_by=begun_by)
        ran = self.gpuaudit(*rehearsed_over_ssh(config, program, "--out", str(proof)))
        assert ran.code == 0, ran.err
        payload = json.loads((proof / "challenge.json").read_bytes())["payload"]
        stated = json.loads(base64.b64decode(payload))["predicate"]
        result = load(ChallengeResult, json.dumps(stated).encode(), place="proof")
        assert json.loads(dump(ChallengeResult, result)) == stated
        outcome = result.attempts[-1].outcome
        assert isinstance(outcome, Accepted)
        assert isinstance(outcome.timing, Timed)
        at = {name: nanoseconds / 1e9 for name, nanoseconds in json.loads(stamps.read_text()).items()}
        times = outcome.timing.times
        return Rehearsed(
            result=result,
            fill=Stage(verifier=times.fill_seconds, machine=at["committed"] - at["seed"]),
            walk=Stage(verifier=times.walk_seconds, machine=at["walked"] - at["second-seed"]),
        )


@pytest.fixture
def verifier(gpuaudit: Gpuaudit, tmp_path: Path) -> Verifier:
    return Verifier(gpuaudit, tmp_path)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[tuple[FarSite, Server]]:
    (tmp_path / "sshd").mkdir()
    with far_site() as site, sshd(tmp_path / "sshd", site.site) as server:
        yield site, server


def lowered_by_the_way(rehearse: Callable[[], tuple[Rehearsed, Rehearsed]]) -> None:
    """The way takes at least what it must, on top of what ssh takes anyhow, and the floor falls in that proportion.

    Whatever else the machine does comes on top of either: of some pairs of a near and a far one, one must be undisturbed.
    """
    pairs = []
    for _ in range(_PAIRS):
        near, far = rehearse()
        pairs.append((near, far))
        for stage, usual in ((far.fill, near.fill), (far.walk, near.walk)):
            assert usual.way >= 0
            assert stage.way >= THERE_AND_BACK
        if _undisturbed(near, far):
            return
    raise AssertionError(f"floors differ by more than the way: {pairs}")


def _undisturbed(near: Rehearsed, far: Rehearsed) -> bool:
    ways = all(
        stage.way < THERE_AND_BACK + usual.way + DELAY for stage, usual in ((far.fill, near.fill), (far.walk, near.walk))
    )
    shares = (
        (far.share_of_arithmetic(), near.share_of_arithmetic(), far.fill),
        (far.share_of_lookups(), near.share_of_lookups(), far.walk),
    )
    return ways and all(
        share < usual and share == pytest.approx(stage.machine / (stage.machine + THERE_AND_BACK), rel=0.25)
        for share, usual, stage in shares
    )


def test_a_far_machine_is_accepted_and_its_floor_lower_by_the_way(verifier: Verifier, tmp_path: Path) -> None:
    (tmp_path / "sshd").mkdir()
    with sshd(tmp_path / "sshd") as server, slow_relay(server.port, DELAY) as port:
        through = server.reached_through(port)
        lowered_by_the_way(lambda: (verifier.rehearse(server.config), verifier.rehearse(through)))


def test_a_machine_in_another_network_is_accepted(verifier: Verifier, far: tuple[FarSite, Server]) -> None:
    _, server = far
    ways = [verifier.rehearse(server.config).fill.way for _ in range(2)]
    assert min(ways) >= 0
    assert min(ways) < THERE_AND_BACK


def test_a_delay_of_every_packet_lowers_the_floor_of_a_machine_that_is_accepted(
    verifier: Verifier, far: tuple[FarSite, Server]
) -> None:
    site, server = far

    def rehearse() -> tuple[Rehearsed, Rehearsed]:
        try:
            site.delay(DELAY)
        except RefusedHereError as refused:
            pytest.skip(f"packets cannot be delayed here: {refused}")
        slowed = verifier.rehearse(server.config)
        site.no_delay()
        return verifier.rehearse(server.config), slowed

    lowered_by_the_way(rehearse)
