"""Networks without a file, written into the code that is copied."""

from __future__ import annotations

import re
from hashlib import blake2b

from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.requests.request import OWN_WEIGHTS
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.importing.imported import Imported

_OWN = re.compile(rf"weights[\"']?(=|: | )[\"']?{OWN_WEIGHTS}([\"'\s]|$)")
"""Weights of the model itself, in Python or in a command."""


class InlineNetworks:
    """Collects networks as files that copied code writes before it reads them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._imported: set[str] = set()

    def word(self, stem: str, network: Architecture) -> str:
        """Return the name of the file that a network is written to.

        The name changes with its content, so that no other file of the user's is overwritten.

        Raises
        ------
        RFStudioError
            If no architecture file can hold it.
        """
        text = write_yaml(network)
        name = f"{stem}-{blake2b(text.encode(), digest_size=4).hexdigest()}.yaml"
        self._texts[name] = text
        if isinstance(network, Imported):
            self._imported.add(name)
        return name

    def python(self, code: str) -> str:
        """Return Python lines that write the files that `code` names and then do what it does.

        Raises
        ------
        RFStudioError
            If it measures with the weights of an imported model, which the files do not hold.
        """
        texts = self._named_in(code)
        if not texts:
            return code
        lines = ["from pathlib import Path", ""]
        for name, text in texts.items():
            lines += [f"Path({name!r}).write_text({_literal(text)}, encoding='utf-8', newline='')"]
        return "\n".join([*lines, "", code])

    def command(self, command: str) -> str:
        """Return commands of a shell that write the files that `command` names, and it.

        Raises
        ------
        RFStudioError
            If it measures with the weights of an imported model, which the files do not hold.
        """
        parts = []
        for name, text in self._named_in(command).items():
            end = "END"
            while end in text.splitlines():
                end += "_"
            parts.append(f"cat > {name} <<'{end}'\n{text.rstrip(chr(10))}\n{end}\n")
        return "".join([*parts, command])

    def _named_in(self, code: str) -> dict[str, str]:
        """Return the files that some code reads: a lesson or a film needs no network."""
        found = {name: text for name, text in self._texts.items() if name in code}
        if self._imported & set(found) and _OWN.search(code):
            raise RFStudioError(
                "this was measured with the weights of the imported model, which no architecture "
                "file holds; measure with other weights, or import the model again"
            )
        return found


def _literal(text: str) -> str:
    """Return a Python literal of a text, with its lines as they are where that is possible."""
    if '"""' in text or "\\" in text or text.endswith('"') or "\r" in text:
        return repr(text)
    return f'"""\\\n{text}"""'
