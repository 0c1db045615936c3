"""The labels of the components of each draw, and methods that give all draws one labelling."""
