"""The pytest plugin: `simulated_gpus` and the marker `adversary`. Loads nothing of gpuaudit until a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from gpuaudit.testing.gpus import SimulatedGpus

_MARKER = "adversary"


class PutInPlace(Protocol):
    """What the fixture `simulated_gpus` is: call it once, and the devices are there until the test ends."""

    def __call__(self, profile: str, count: int = 1, *, seed: int = 0) -> SimulatedGpus:
        """Put `count` devices of `profile` in place; or those of a whole line, as `a:1,b:1`, with a count of 1."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, so that `--strict-markers` accepts it."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(line): what a dishonest owner does to the devices of `simulated_gpus`, as `renamed-as=a100-sxm4-80gb`",
    )


@pytest.fixture
def simulated_gpus(request: pytest.FixtureRequest) -> Iterator[PutInPlace]:
    """Return a function that puts simulated GPUs beneath pynvml: `simulated_gpus("h100-sxm5-80gb", 8)`.

    Whatever asks pynvml in this process then sees them, until the test ends. Evidence of them says that it is simulated.
    """
    from gpuaudit.testing.gpus import simulated  # noqa: PLC0415 - pytest loads this module in every run of every project

    lines = [_line(marker) for marker in request.node.iter_markers(_MARKER)]
    with ExitStack() as stack:

        def put(profile: str, count: int = 1, *, seed: int = 0) -> SimulatedGpus:
            spec = profile if count == 1 else f"{profile}:{count}"
            # The marker nearest to the test comes first, and plays last.
            return stack.enter_context(simulated(spec, adversary=",".join(reversed(lines)), seed=seed))

        yield put


def _line(marker: Any) -> str:
    match marker.args:
        case (str(line),) if not marker.kwargs:
            return line
        case _:
            raise pytest.UsageError(f"@pytest.mark.{_MARKER}: expected one line, as in {_MARKER}('renamed-as=a100-sxm4-80gb')")
