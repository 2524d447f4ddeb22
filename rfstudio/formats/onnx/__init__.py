"""ONNX files as networks: read as data, nothing in them is run."""
