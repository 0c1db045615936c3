"""Small real data sets included in the package, each with its source."""
