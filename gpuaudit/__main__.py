"""`python -m gpuaudit` does what the `gpuaudit` command does."""

from __future__ import annotations

from gpuaudit.cli import main

if __name__ == "__main__":
    main()
