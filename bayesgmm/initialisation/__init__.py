"""Initial values for EM: portfolio of starts, hierarchical clustering, values given by the user."""
