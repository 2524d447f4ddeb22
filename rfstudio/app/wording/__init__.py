"""Numbers, layers and units in words."""
