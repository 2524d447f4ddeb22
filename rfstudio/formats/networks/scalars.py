"""The values of unquoted YAML scalars: the core schema of YAML 1.2, without surprises.

YAML 1.1 readers turn ``no`` into false, ``017`` into 15 and ``12:30`` into 750.  Here all three
remain texts, so that a name stays a name; where a number is needed, they are a problem.

References
----------
.. [1] YAML Ain't Markup Language, version 1.2.2, section 10.3 (core schema).
"""

from __future__ import annotations

import re
from typing import Any

import yaml

Value = None | bool | int | float | str

_WORDS: dict[str, Value] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# A leading zero is octal in YAML 1.1 and decimal in 1.2, so it is neither here.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,4})?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")

_OLD_BOOLEANS = frozenset(("y", "n", "yes", "no", "on", "off"))
_OLD_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(:[0-9_.]+)+|[-+]?0[xXoObB]?[0-9a-fA-F_]+|[-+.0-9_]+")
_OLD_RESOLVER: Any = yaml.SafeLoader("")


def resolved(text: str) -> Value:
    """Return the value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0].isalpha():  # the most frequent case
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not _LEADING_ZERO.match(text):
        return float(text)
    return text


def remark(text: str) -> str:
    """Return why an unquoted text is not the number that its author may have meant, or nothing."""
    if _LEADING_ZERO.match(text) and text.lstrip("+-").isdigit():
        return "write it without leading zeros"
    if _INTEGER.match(text) and text.lstrip("+-").isdigit():
        return "the number is too large"
    if _OLD_NUMBER.fullmatch(text):
        return "write it as a decimal number"
    return ""


def is_text_everywhere(text: str) -> bool:
    """Return whether `text`, unquoted, is a text to readers both of YAML 1.1 and of 1.2."""
    if resolved(text) != text or text.lower() in _OLD_BOOLEANS or _OLD_NUMBER.fullmatch(text):
        return False
    tag = _OLD_RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    return bool(tag == "tag:yaml.org,2002:str")
