"""The panel where a measurement is chosen, started and watched."""
