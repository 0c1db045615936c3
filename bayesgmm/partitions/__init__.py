"""The clustering that the draws support as a whole: a point estimate and its credible ball."""
