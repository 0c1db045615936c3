"""The estimator in scikit-learn's form, and what is said of a fit."""
