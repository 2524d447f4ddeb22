"""The edits that the window offers."""
