"""Components of one feature in the order of their means."""

import numpy as np


def in_order_of_means(posterior):
    """Weights, means and standard deviations (chain, draw, K) of one feature."""
    group = posterior["posterior"].to_dataset()
    order = np.argsort(group["means"].values[..., 0], axis=-1)
    arrays = {
        "weights": group["weights"].values,
        "means": group["means"].values[..., 0],
        "sigmas": np.sqrt(group["covariances"].values[..., 0, 0]),
    }
    return {n: np.take_along_axis(each, order, axis=-1) for n, each in arrays.items()}
