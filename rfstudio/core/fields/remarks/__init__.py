"""Remarks on layers: what is unusual, why, and a remedy that was tried."""
