"""Units as types, so that a number never travels without what it counts.

JSON carries the same unit as a suffix of the key (`totalBytes`, `smMaxMegahertz`). Values keep the unit in which their
source gives them: a collector does not convert what it read.
"""

from __future__ import annotations

from typing import NewType

Bytes = NewType("Bytes", int)
Mebibytes = NewType("Mebibytes", int)
Seconds = NewType("Seconds", float)
Megahertz = NewType("Megahertz", int)
Milliwatts = NewType("Milliwatts", int)
Millijoules = NewType("Millijoules", int)
Celsius = NewType("Celsius", int)
FlopPerSecond = NewType("FlopPerSecond", float)
BytesPerSecond = NewType("BytesPerSecond", float)
