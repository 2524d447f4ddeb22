"""Bytes and text to values and back: networks, tables, images."""
