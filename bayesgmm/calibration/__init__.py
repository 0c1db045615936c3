"""Calibration of posteriors: the rank of true values among the draws given simulated rows."""
