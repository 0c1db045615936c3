"""Thirteen measurements of three groups, and what else a table may hold that no Gaussian fits."""

import numpy as np


def thirteen_columns():
    """Rows (178, 13) of three groups of one covariance, and their groups (178,)."""
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 3, 178)
    centres, mixing = rng.normal(0, 1.5, (3, 13)), rng.normal(size=(13, 13)) * 0.3 + np.eye(13)
    return centres[groups] + rng.normal(size=(178, 13)) @ mixing, groups


def unsuitable():
    """Tables by name: the measurements with a label, rounded, with zeros, or half of them twice."""
    x, groups = thirteen_columns()
    rng = np.random.default_rng(8)
    noise = rng.normal(size=len(x))
    return {
        "label": np.column_stack((x, groups + 1.0)),
        "rounded": np.round(x / x.std(axis=0)),
        "zeros": np.column_stack((x, np.where(rng.random(len(x)) < 0.6, 0.0, noise))),
        "duplicates": np.concatenate((x[:89], x[:89])),
    }
