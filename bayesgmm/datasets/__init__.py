"""Small real data sets that ship with the package, each with its source."""
