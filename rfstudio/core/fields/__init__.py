"""Receptive fields of every layer and every unit: the recurrence, the walk back, remarks."""
