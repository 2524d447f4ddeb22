"""Effective fields in the window: options, the running measurement, what is shown."""
