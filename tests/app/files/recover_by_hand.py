"""Opens the window as the program does, and says what happens; a test kills it.

Arguments: the button of the dialog of recovery that is clicked; "none": it stays open.
"""

import sys

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from rfstudio import gui
from rfstudio.widgets.window.recover_dialog import RecoverDialog


def say(*words: object) -> None:
    """Write a line for the test."""
    sys.stdout.write(f"{' '.join(map(str, words))}\n")
    sys.stdout.flush()


def main(button: str) -> None:
    application = gui.make_application()
    timer = QTimer(interval=20)

    def look() -> None:
        dialog = application.activeModalWidget()
        if not isinstance(dialog, RecoverDialog) or not dialog.isActiveWindow():
            return
        timer.stop()
        rows = [dialog.list.topLevelItem(i) for i in range(dialog.list.topLevelItemCount())]
        say("asks about", *(x.text(0) for x in rows if x is not None))
        for each in dialog.findChildren(QPushButton):
            if each.text() == button:
                QTest.mouseClick(each, Qt.MouseButton.LeftButton)

    timer.timeout.connect(look)
    timer.start()
    window = gui.make_window()
    window.show()
    document = window.studio.document
    say("shows", document.architecture.name, document.is_modified)
    application.exec()


if __name__ == "__main__":
    main(sys.argv[1])
