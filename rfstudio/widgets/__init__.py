"""The widgets of the window: one folder per panel, on top of the state in `rfstudio.app`."""
