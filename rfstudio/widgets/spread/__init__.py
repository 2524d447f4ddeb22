"""The panel of the fields on each image."""
