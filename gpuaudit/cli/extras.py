"""Commands whose packages are an extra: where one is missing, say which and how to get it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from gpuaudit.errors import MachineError

P = ParamSpec("P")
T = TypeVar("T")


def needs_extra(extra: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Turn a package that is not installed into one line; a module of our own that is missing stays a fault."""

    def declare(command: Callable[P, T]) -> Callable[P, T]:
        @wraps(command)
        def run(*arguments: P.args, **options: P.kwargs) -> T:
            try:
                return command(*arguments, **options)
            except ModuleNotFoundError as error:
                missing = (error.name or "").partition(".")[0]
                if missing == "gpuaudit":
                    raise
                message = f"{missing}: not installed, and this command needs it; pip install 'gpuaudit[{extra}]'"
                raise MachineError(message) from None

        return run

    return declare
