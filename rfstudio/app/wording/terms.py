"""Which entry of the glossary explains a number of the inspector."""

from __future__ import annotations

GLOSSARY = "glossary.md"

TERMS = {
    "size": "Receptive field, theoretical (TRF)",
    "theoretical": "Receptive field, theoretical (TRF)",
    "local": "Local field",
    "through": "Context operation",
    "jump": "Jump",
    "padding": "Padding of a field",
    "centre": "Centre",
    "alignment": "Aligned",
    "visible": "Visible region",
    "pixels": "Support",
    "coverage": "Coverage",
    "gridding": "Gridding",
    "ERF / TRF": "Effective receptive field (ERF)",
}
"""Entries of the glossary by the labels of the numbers."""
