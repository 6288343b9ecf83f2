"""Asserting a verdict, with the report in the message where it is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpuaudit.appraisal.result import AttestationResult, Verdict

# What a function needs is imported within: pytest loads this package in every run of every project that has gpuaudit installed.


def assert_verdict(result: AttestationResult, verdict: Verdict | str, *, because: str = "") -> None:
    """Require a verdict, and that its headline holds `because`.

    Args:
        result: What `SimulatedGpus.audit` returned.
        verdict: The one expected, or its word.
        because: Something that the headline must say: a rule, a number, a product.

    Raises:
        AssertionError: It is another verdict or another reason; the message is the report.
        ValueError: There is no such verdict.
    """
    from gpuaudit.appraisal.result import Verdict  # noqa: PLC0415

    expected = Verdict(verdict)
    if result.verdict is not expected:
        raise AssertionError(f"got {result.verdict.value}, expected {expected.value}\n{_told(result)}")
    if because not in result.headline:
        raise AssertionError(f"{expected.value}, but the headline does not say {because!r}\n{_told(result)}")


def _told(result: AttestationResult) -> str:
    from gpuaudit.report.as_text import as_brief  # noqa: PLC0415
    from gpuaudit.report.compose import view_of_result  # noqa: PLC0415

    return as_brief(view_of_result(result))
