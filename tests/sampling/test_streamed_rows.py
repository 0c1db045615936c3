"""The posterior of a source of rows is that of the rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayesgmm import (
    GaussianMixture,
    compare_engines,
    label_switching,
    open_rows,
    random_mixture,
    relabel,
    sample_posterior,
    simulate,
)
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.executors import SerialExecutor
from bayesgmm.posterior.log_density import problem
from bayesgmm.posterior.model import posterior_model
from bayesgmm.sampling import laplace_target
from bayesgmm.sampling.streamed_posterior import StreamedPosterior
from bayesgmm.sampling.streamed_rows import rows_to_sample

QUIET = {"method": "laplace", "draws": 200, "progressbar": False, "rng": 3}
N = 6000


@pytest.fixture(scope="module")
def rows():
    return simulate(random_mixture(3, 2, average_overlap=0.02, rng=1), N, rng=2).X


@pytest.fixture
def many(monkeypatch):
    """Densities of 1500 rows of more than 1000."""
    monkeypatch.setattr(laplace_target, "_FEW", 1000)
    monkeypatch.setattr(laplace_target, "_PART", 1500)


@pytest.mark.parametrize("block", [N, 1000, 777])
@pytest.mark.parametrize("beside", ["", "weights", "errors and missing"])
def test_densities_of_blocks_add_up_to_those_of_all_rows(rows, block, beside):
    rng = np.random.default_rng(4)
    x, more = rows.copy(), {}
    if beside == "weights":
        more["sample_weight"] = rng.integers(0, 3, N).astype(float)
    elif beside:
        x[rng.random(x.shape) < 0.1] = np.nan
        more["error_covariances"] = rng.uniform(0.01, 0.1, x.shape)
    fit = GaussianMixture(3, random_state=0).fit(rows)
    model = posterior_model(x, 3, "full", None, None, **more)
    frame = model.coordinates(fit.mixture_)

    def of_rows(data):
        return problem(data, model.resolved, frame)

    whole = of_rows(model.data)
    part = of_rows(model.data.take(np.arange(500)))
    points = frame.of(fit.mixture_) + 0.05 * rng.standard_normal((3, frame.size))
    with SerialExecutor().open(open_rows(x, **more), block) as opened:
        values, slopes = StreamedPosterior(of_rows, part, opened).log_densities(points)
    expected = [whole.log_density(u) for u in points]
    assert_allclose(values, [value for value, _ in expected], rtol=1e-12)
    assert_allclose(slopes, [slope for _, slope in expected], rtol=1e-9, atol=1e-7)


def test_the_posterior_is_that_of_the_rows(rows, many, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    source = open_rows(tmp_path / "rows.npy")
    tree = sample_posterior(source, 3, **QUIET)
    own = sample_posterior(rows, 3, with_log_likelihood=False, **QUIET)
    assert (tree.attrs["rows_of_source"], tree.attrs["rows_of_density"]) == (N, 1500)
    assert tree["observed_data"].sizes["row"] == 1500
    assert float(tree["constant_data"]["sample_weight"].sum()) == pytest.approx(N)
    estimate = "em_log_likelihood"
    of_all, here = (float(each["constant_data"][estimate]) for each in (own, tree))
    assert here == pytest.approx(of_all, rel=1e-10)
    for name in ("weights", "means", "covariances"):
        one, other = tree["posterior"][name], own["posterior"][name]
        sd = other.std(("chain", "draw"))
        # 800 nearly independent draws each: a z of 5 is .25 sd; the parts differ by far less.
        gap = abs(one.mean(("chain", "draw")) - other.mean(("chain", "draw"))) / sd
        assert float(gap.max()) < 0.25
        assert float((one.std(("chain", "draw")) / sd).min()) > 0.8
        assert float((one.std(("chain", "draw")) / sd).max()) < 1.25
    relabelled = relabel(tree)
    assert label_switching(relabelled).state == "good"
    assert "agree" in compare_engines(None, relabelled).verdict


def test_a_fit_is_where_it_begins_and_priors_have_the_ranges_of_all(rows, many):
    x = rows.copy()
    x[17] = [40.0, -50.0]  # beyond all others; the part may lack it
    fit = GaussianMixture(3, covariance_type="VVI", random_state=0).fit(open_rows(rows))
    tree = sample_posterior(open_rows(rows), init=fit, **QUIET)
    assert tree.attrs["covariance_type"] == "diag"
    assert float(tree["constant_data"]["em_log_likelihood"]) == pytest.approx(fit.log_likelihood_)
    generator = np.random.default_rng(0)
    with rows_to_sample(open_rows(x), "laplace", {}, generator, allow_nan=True) as (part, streamed):
        model = posterior_model(part, 3, "full", None, None)
        assert_allclose(streamed.model(model).resolved.mean_sd, np.ptp(x, axis=0))


def test_few_rows_of_a_source_are_rows_in_memory(rows):
    few = {"draws": 50, "tune": 100, "chains": 2, "progressbar": False, "rng": 1}
    one, other = (sample_posterior(each, 3, **few) for each in (open_rows(rows[:500]), rows[:500]))
    assert one["posterior"].equals(other["posterior"])
    assert "log_likelihood" in one.children


def test_what_needs_rows_in_memory_is_refused(rows, many):
    source = open_rows(rows)
    with pytest.raises(
        InvalidParameterError, match=r"source of rows, .* method='nuts' needs its 6000"
    ):
        sample_posterior(source, 3)
    for more in ({"labels": np.zeros(N)}, {"noise_component": True}, {"sample_weight": np.ones(N)}):
        with pytest.raises(InvalidParameterError, match=f"{next(iter(more))} cannot be used with"):
            sample_posterior(source, 3, **QUIET, **more)
    noisy = GaussianMixture(3, noise_component=True, random_state=0).fit(rows)
    with pytest.raises(InvalidParameterError, match="noise_component cannot be used with a source"):
        sample_posterior(source, init=noisy, **QUIET)
    holed = rows.copy()
    holed[5, 1] = np.nan
    with pytest.raises(InputError, match="has 1 missing entries, most of them in column 1"):
        sample_posterior(open_rows(holed), 3, missing="raise", **QUIET)
