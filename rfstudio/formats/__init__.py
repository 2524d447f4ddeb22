"""File formats: networks, tables and images, read from and written to bytes and text."""
