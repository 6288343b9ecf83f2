"""A report as JSON: the result as it was sealed, and beside it, as `page`, what every other form shows."""

from __future__ import annotations

import json

from gpuaudit.appraisal.result import AttestationResult
from gpuaudit.evidence.codec import dump
from gpuaudit.report.view import View


def as_json(result: AttestationResult, view: View) -> str:
    """Write the members of `result`, as its schema says, and `page`; in ASCII, which no terminal obeys."""
    written = {**json.loads(dump(AttestationResult, result)), "page": json.loads(dump(View, view))}
    return json.dumps(written, indent=1, allow_nan=False, ensure_ascii=True)
