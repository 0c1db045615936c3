"""Standard errors by the information matrix or by refitting."""
