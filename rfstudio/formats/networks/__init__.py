"""Networks as YAML files, and the presets."""
