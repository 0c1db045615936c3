"""Loops against the graphs of the same formulas, in value and gradient."""

import pickle

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from problems import priors_of, rows

from bayesgmm.pymc_models.loop_ops import (
    Covariances,
    DensityOp,
    Means,
    MeansDensity,
    Weights,
    WeightsDensity,
    log_prior_of_covariances,
)

INTERPRETED = pytensor.compile.mode.Mode(linker="py", optimizer="fast_compile")
A = np.array([[2.0, 0.0, 0.0], [0.3, 0.5, 0.0], [-1.0, 0.7, 30.0]])
FULL = A.copy()
FULL[0, 2] = 0.4


def prior(*case, k=3):
    family = priors_of(case, k).for_data(rows(50, case[1]), k, case[0]).covariances
    root = np.tril(np.random.default_rng(2).standard_normal((k, case[1], case[1])), -1)
    root = root + 1.5 * np.eye(case[1])
    return log_prior_of_covariances(family, k, pt.dtensor3(shape=root.shape)), root @ root.mT


def operations():
    rng = np.random.default_rng(1)
    y, m, q = pt.dvector(shape=(3,)), pt.dmatrix(shape=(4, 3)), pt.dmatrix(shape=(2, 6))
    yield "weights", Weights()(y)[0].owner, rng.standard_normal(3)
    yield "means", Means()(m, [1.0, 2.0, 3.0], FULL).owner, rng.standard_normal((4, 3))
    yield "covariances", Covariances()(q, A)[0].owner, rng.standard_normal((2, 6))
    w, mu = pt.dvector(shape=(3,)), pt.dmatrix(shape=(4, 3))
    density = WeightsDensity()(w, [2.0, 0.5, 7.0])[0]
    yield "prior of weights", density.owner, np.array([0.2, 0.7, 0.1])
    numbers = rng.standard_normal((4, 3)), 1.0 + rng.random((4, 3))
    yield "prior of means", MeansDensity()(mu, *numbers)[0].owner, rng.standard_normal((4, 3))
    for case in [
        ("full", 3, {}),
        ("full", 3, {"hierarchical": False}),
        ("full", 3, {"covariances": "lkj"}),
        ("full", 3, {"priors": "different"}),
        ("full", 3, {"priors": "different", "covariances": "lkj"}),
    ]:
        density, value = prior(*case)
        yield "-".join(map(str, case[2].values())) or "default", density.owner, value


@pytest.mark.parametrize(
    ("node", "value"), [pytest.param(*rest, id=name) for name, *rest in operations()]
)
def test_loops_are_the_graphs(node, value):
    variable, rng = node.inputs[0], np.random.default_rng(3)
    is_density = isinstance(node.op, DensityOp)
    graphs = node.op.graph(*node.inputs)
    shapes = [each.eval({variable: value}, mode=INTERPRETED).shape for each in graphs]
    slopes = [rng.standard_normal(each) for each in shapes]
    found = []
    for outputs in (node.outputs, graphs):
        # Densities have their gradients among the results, and no second derivative.
        first = zip(outputs, slopes[: 1 if is_density else None], strict=False)
        gradient = pt.grad(sum((each * slope).sum() for each, slope in first), variable)
        if value.ndim == 3:
            # Gradients in the two halves of a symmetric matrix may be shared out at will.
            gradient = gradient + gradient.mT
        found.append(pytensor.function([variable], [*outputs, gradient], mode=INTERPRETED)(value))
    for loops, graph in zip(*found, strict=True):
        np.testing.assert_allclose(loops, graph, rtol=1e-11, atol=1e-11 * abs(graph).max())


def test_the_coordinates_determine_the_jacobians():
    weights, log_jacobian = (
        each.eval(mode=INTERPRETED) for each in Weights()(np.array([0.3, -1.2]))
    )
    # |d weights / dy| = K prod weights.
    assert weights.sum() == pytest.approx(1.0, rel=1e-15)
    assert log_jacobian == pytest.approx(np.log(3 * weights.prod()), rel=1e-14)


def test_operations_are_pickled():
    for _, node, _ in operations():
        again = pickle.loads(pickle.dumps(node.op))
        assert again == node.op
        assert hash(again) == hash(node.op)
