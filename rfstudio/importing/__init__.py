"""The importer: records of operations become a network that a person could have written."""
