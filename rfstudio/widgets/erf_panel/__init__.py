"""The panel that sets up, starts and follows a measurement."""
