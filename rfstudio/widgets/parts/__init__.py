"""Small widgets and behaviour that all panels share."""
