"""Files of numbers: tables of analyses, and effective fields with their records."""
