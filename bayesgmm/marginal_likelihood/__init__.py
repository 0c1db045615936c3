"""The log marginal likelihood of each number of components, and the probabilities that follow."""
