"""Standard errors: from the information matrix, or from refits."""
