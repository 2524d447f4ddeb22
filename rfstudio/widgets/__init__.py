"""What the window is made of: one folder a panel, on top of the state in `rfstudio.app`."""
