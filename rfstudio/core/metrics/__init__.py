"""Numbers of an effective receptive field: size, form and place."""
