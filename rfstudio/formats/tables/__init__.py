"""Numbers as files: tables of analyses, and effective fields with their records."""
