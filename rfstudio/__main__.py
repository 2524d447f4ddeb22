"""Runs the program: ``python -m rfstudio`` is the same as ``rfstudio``."""

import sys

from rfstudio.cli import main

if __name__ == "__main__":
    sys.exit(main())
