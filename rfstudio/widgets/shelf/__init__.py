"""The panel that lists the results of all measurements."""
