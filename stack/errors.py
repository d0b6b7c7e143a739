"""What can go wrong in the local runtime, as messages that a user can act on."""

from __future__ import annotations


class StackError(Exception):
    """The local runtime cannot do what was asked; the message says why and what to do.

    `exit_code` is what the shell sees.
    """

    exit_code = 1


class PortTakenError(StackError):
    """The gateway's port belongs to somebody else."""

    exit_code = 2


class AlreadyRunningError(StackError):
    """Another supervisor serves from this state folder."""


class StartError(StackError):
    """A part did not become ready; the message carries the end of its log."""
