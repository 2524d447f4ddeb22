"""Edits a document at a random pace, keeps copies, and notes every edit; a test kills it.

Arguments: the folder of the copies, the file for notes, a seed.
"""

import random
import sys
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from rfstudio.app.files.recovery import Recovery
from rfstudio.app.state.document import Document
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer

# Some twenty kilobytes, so that a write takes a while.
LAYERS = tuple(Layer(ops.Conv(kernel_size=3, padding=1), f"layer{i}") for i in range(300))


def main(folder: str, notes: str, seed: str) -> None:
    application = QCoreApplication([])
    rng = random.Random(seed)
    pace = rng.choice((20, 200, 600, 1400))
    document = Document(Architecture())
    recovery = Recovery(document, Path(folder))
    timer = QTimer(singleShot=True)
    count = 0

    with Path(notes).open("a") as file:

        def edit() -> None:
            nonlocal count
            count += 1
            file.write(f"{count} {time.monotonic()}\n")
            file.flush()
            document.edit("edit", Architecture(f"edit {count}", layers=LAYERS))
            timer.start(rng.randint(1, 2 * pace))

        timer.timeout.connect(edit)
        edit()
        application.exec()
    del recovery


if __name__ == "__main__":
    main(*sys.argv[1:])
