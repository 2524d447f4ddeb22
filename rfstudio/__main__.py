"""Runs the program: ``python -m rfstudio`` is the same as ``rfstudio``."""

import sys

from rfstudio.cli import main

if __name__ == "__main__":
    if getattr(sys, "frozen", False):
        # The worker of a packed program is the same program, started again with other arguments.
        from multiprocessing import freeze_support

        freeze_support()
    sys.exit(main())
