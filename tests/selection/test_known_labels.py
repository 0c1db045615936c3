"""Selections where the components of some rows are known."""

import warnings

import numpy as np

from bayesgmm import select_mixture


def test_the_fewest_components_that_labels_allow_are_no_edge():
    """The advice was to try fewer, which the labels exclude."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(m, 1.0, 60) for m in (0.0, 8.0, 16.0)])[:, np.newaxis]
    labels = np.full(180, -1)
    labels[::20] = np.repeat([0, 1, 2], 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = select_mixture(x, [2, 3, 4], "full", labels=labels, progressbar=False)
    assert found.best.n_components == 3
