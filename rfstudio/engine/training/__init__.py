"""Training networks on a task whose answer needs context, to see where their fields go."""
