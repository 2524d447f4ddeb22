"""State of the window without widgets: document, selection, analysis, settings and jobs."""
