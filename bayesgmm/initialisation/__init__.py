"""Initial values for EM: default starts, hierarchical clustering, values given by the user."""
