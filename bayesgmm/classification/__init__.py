"""Classes of rows: discriminant analysis by Gaussian mixtures."""
