"""How rows get in: arrays, data frames, files and data sets, checked once."""
