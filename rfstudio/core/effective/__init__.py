"""The parts of the effective field in closed form: flows from one unit back to the input."""
