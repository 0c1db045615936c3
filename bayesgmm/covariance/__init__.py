"""Covariance structures: what the components' covariances share."""
