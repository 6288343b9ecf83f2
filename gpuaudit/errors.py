"""What can go wrong, as a small tree: one root, three branches.

The content of evidence is never an exception: a reading that could not be had is an `Unknown`, a card that does not fit
is a finding. Exceptions are for a user's mistake (`UsageError`), for a file that is not what it claims to be
(`AuthenticityError`) and for a machine that cannot do the work (`MachineError`). Everything else is a fault in gpuaudit and
is left to end the program.

Every message reads: where: what is wrong; got, expected; next step.
"""

from __future__ import annotations


class GpuauditError(Exception):
    """Anything that gpuaudit reports in one line instead of a traceback."""


class UsageError(GpuauditError):
    """The user asked for something that cannot be: a wrong option, file or value."""


class MalformedFileError(UsageError):
    """A file that a person wrote (tender, policy, catalogue) breaks its format."""


class AuthenticityError(GpuauditError):
    """A sealed file is not what it claims to be; nothing in it may be believed."""


class CouldNotAuthenticateError(AuthenticityError):
    """A sealed file may be genuine, but no key at hand can tell."""


class MachineError(GpuauditError):
    """This machine cannot do the work: no space, no permission, no such device."""
