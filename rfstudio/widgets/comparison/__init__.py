"""The panel that compares the chosen unit with pins."""
