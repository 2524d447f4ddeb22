"""What every layer and every unit sees: the recurrence, the walk back, remarks."""
