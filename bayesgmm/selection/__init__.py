"""Selection of the number of components and of the covariance structure."""
