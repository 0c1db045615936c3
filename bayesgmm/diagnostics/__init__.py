"""Label switching, recovery of the truth, agreement of the engines."""
