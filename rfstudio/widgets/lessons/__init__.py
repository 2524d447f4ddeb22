"""The panel of the lesson that is being taken."""
