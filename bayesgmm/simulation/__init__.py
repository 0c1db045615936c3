"""Data of known truth: draws from mixtures, random mixtures of known overlap, worked examples."""
