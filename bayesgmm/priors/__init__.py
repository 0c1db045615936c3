"""Priors of the parameters of a mixture, for penalised likelihood and for the posterior."""
