"""Dying with the supervisor, for the children that Python alone runs."""

import ctypes
import signal

from rostra.processes.arguments import leave_if_orphaned

_PR_SET_PDEATHSIG = 1


def hold(given: dict[str, str]) -> None:
    """Asks the kernel for SIGKILL when the supervisor dies (prctl(2)); it may have died just before."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    leave_if_orphaned(given)
