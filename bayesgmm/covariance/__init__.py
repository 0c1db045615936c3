"""Covariance structures: constraints on the components' covariances, and their M-steps."""
