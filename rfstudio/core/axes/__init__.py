"""The samples that are read along one axis, as rules, as sets and as intervals."""
