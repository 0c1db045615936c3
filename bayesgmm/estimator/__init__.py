"""The scikit-learn estimator, its summary, information criteria and alignment of labels."""
