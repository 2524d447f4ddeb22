"""State of the window: the document, the choice, the image, the settings."""
