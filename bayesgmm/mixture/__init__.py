"""A finite Gaussian mixture as a value, and the quantities computed from it."""
