"""Edits a document at a random pace, saves copies, and notes every edit; a test kills it.

Arguments: the folder of the copies, the file for notes, a seed.

Times are of a clock of its own, which stops while other work of the machine makes the process wait:
from one tick to the next it gains what the processor worked for it, and the length of a tick.
"""

import random
import sys
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, QTimer

from rfstudio.app.files.recovery import Recovery
from rfstudio.app.state.document import Document
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer

TICK = 0.02
"""Seconds from one reading of the clock to the next."""

# A hundred kilobytes, so that a write takes a while.
LAYERS = tuple(Layer(ops.Conv(kernel_size=3, padding=1), f"layer{i}") for i in range(1500))


class OwnClock:
    """Seconds in which the process worked, or had nothing to do."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._wall, self.worked = time.monotonic(), time.process_time()

    def read(self) -> float:
        """Return the seconds up to now; called at least once a tick."""
        wall, worked = time.monotonic(), time.process_time()
        self.seconds += min(wall - self._wall, worked - self.worked + TICK)
        self._wall, self.worked = wall, worked
        return self.seconds


def main(folder: str, notes: str, seed: str) -> None:
    application = QCoreApplication([])
    rng = random.Random(seed)
    pace = rng.choice((20, 200, 600, 1400))
    document = Document(Architecture())
    recovery = Recovery(document, Path(folder))
    timer = QTimer(singleShot=True)
    ticks = QTimer(interval=round(TICK * 1000))
    ticks.setTimerType(Qt.TimerType.PreciseTimer)
    clock = OwnClock()
    count = 0

    with Path(notes).open("a") as file:

        def note(what: str) -> None:
            file.write(f"{what} {clock.read()} {clock.worked}\n")
            file.flush()

        def edit() -> None:
            nonlocal count
            count += 1
            note(str(count))
            document.edit("edit", Architecture(f"edit {count}", layers=LAYERS))
            timer.start(rng.randint(1, 2 * pace))

        timer.timeout.connect(edit)
        ticks.timeout.connect(lambda: note("tick"))
        ticks.start()
        edit()
        application.exec()
    del recovery


if __name__ == "__main__":
    main(*sys.argv[1:])
