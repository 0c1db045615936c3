"""The posterior of a mixture: its density and coordinates, the reader of draws, predictions."""
