"""The window's files: opening, saving, recovery, exports."""
