"""Derivatives of a function by differences."""

import numpy as np


def by_differences(value, size, h=1e-4):
    """Gradient (m,) and second derivatives (m, m) at 0 of a function of m numbers."""
    steps = h * np.eye(size)
    gradient = np.array([(value(s) - value(-s)) / (2.0 * h) for s in steps])
    hessian = [
        [
            (value(a + b) - value(a - b) - value(b - a) + value(-a - b)) / (4.0 * h * h)
            for b in steps
        ]
        for a in steps
    ]
    return gradient, np.array(hessian)
