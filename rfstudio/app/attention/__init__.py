"""The attention of the network's layers, measured for a query unit."""
