"""The challenge: a verifier elsewhere sets unpredictable work, times it on its own clock and recomputes a sample.

`PROTOCOL.md` beside this file freezes what is sent and computed, byte for byte; `SOUNDNESS.md` says what an accepted answer
proves, at which odds, and what it does not. The numbered steps in comments are those of `PROTOCOL.md`.
"""
