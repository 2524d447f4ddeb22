"""Small widgets and habits that all panels share."""
