"""Weights from files: read within bounds, and matched with the layers they belong to."""
