"""The number of components and the covariance structure."""
