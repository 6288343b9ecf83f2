"""gpuaudit tells whether a rented machine holds the accelerators that its contract says.

Start with `gpuaudit audit` (the command line), or in code with `gpuaudit.attester.attest` (collect and seal) and
`gpuaudit.appraisal.appraise` (judge). Importing this package loads nothing heavy.
"""

from __future__ import annotations

__version__ = "0.1.0"
