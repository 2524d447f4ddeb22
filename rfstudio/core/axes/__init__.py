"""Along one axis: which samples are read, as rules, as sets and as intervals."""
