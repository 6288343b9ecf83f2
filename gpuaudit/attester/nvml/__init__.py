"""Everything that speaks NVML, through pynvml; no other package imports it.

`session.collect_nvml` asks every question once, each under a watchdog; `origin.beneath` says what stood beneath pynvml while it
did. A refusal, a hang and a malformed answer become an `Unknown` with its reason; nothing that the host answers is raised.
"""
