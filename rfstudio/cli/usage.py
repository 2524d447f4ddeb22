"""The error of a command that was called in a way that has no meaning."""

from rfstudio.core.errors import RFStudioError


class UsageError(RFStudioError):
    """The command was called in a way that has no meaning; exit status 2."""
