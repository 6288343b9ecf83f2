"""For the tests of others: simulated accelerators beneath pynvml, and what an audit of them says.

`gpuaudit.testing.plugin` is found by pytest by itself. `assert_verdict` is for tests that audit what they simulate.
"""

from __future__ import annotations

from gpuaudit.testing.verdict import assert_verdict

__all__ = ["assert_verdict"]
