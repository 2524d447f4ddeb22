"""Experiments: published findings as recipes, run row by row, with tables and charts.

This is above the Python interface, whose answers fill the rows.
"""
