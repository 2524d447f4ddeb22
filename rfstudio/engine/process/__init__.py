"""Running measurements: the worker process, devices, cancelling and progress."""
