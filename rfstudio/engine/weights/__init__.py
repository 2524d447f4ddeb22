"""Weights from files: read within bounds, and matched with their layers."""
