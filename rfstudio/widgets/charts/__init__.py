"""Charts of a network: growth of the field with depth, and sections through an effective field."""
