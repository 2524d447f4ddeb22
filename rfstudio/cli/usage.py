"""The error for a command line that has no meaning."""

from rfstudio.core.errors import RFStudioError


class UsageError(RFStudioError):
    """The command line has no meaning; exit status 2."""
