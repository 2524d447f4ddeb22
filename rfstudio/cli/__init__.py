"""The command line: the same answers as the window, for terminals and scripts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rfstudio.cli import interrupts

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status.

    Parameters
    ----------
    argv
        The arguments without the program's name; those of the process, which then is this
        program's own, if None.
    """
    if argv is None:
        interrupts.end_at_once()
        interrupts.end_with_others()
    try:
        # Imported late, since the import takes a third of a second, during which Ctrl-C may come.
        from rfstudio.cli.program import run

        status = run(argv)
    except ImportError as error:
        status = _incomplete(error)
    if argv is None:
        if status == interrupts.INTERRUPTED:
            interrupts.leave()
        interrupts.ignore()
    return status


def _incomplete(error: ImportError) -> int:
    """Print what an installation lacks; raise the error again if the missing module is our own."""
    if (error.name or "").partition(".")[0] == "rfstudio":
        raise error
    what = " ".join(str(error).split())[:300]
    print(
        f"rfstudio: the installation is incomplete ({what}); install RF Studio again, as the "
        "README says",
        file=sys.stderr,
    )
    return 1
