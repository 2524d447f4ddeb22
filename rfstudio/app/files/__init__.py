"""What comes from files and goes into them: opening, saving, recovery, exports."""
