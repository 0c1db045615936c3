"""Fits to sources of rows: those of rows in memory, whoever forms the sums."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bayesgmm import GaussianMixture, random_mixture
from bayesgmm.em import streamed_fit
from bayesgmm.errors import FitError, InputError, InvalidParameterError
from bayesgmm.executors import SerialExecutor, ThreadExecutor
from bayesgmm.sources.opening import open_rows

MIXTURE = random_mixture(3, 2, average_overlap=0.15, rng=3)
X = MIXTURE.sample(150_000, rng=4)[0]


def fitted(source, executor=None, **options):
    checkpoint = options.pop("checkpoint", None)
    fit = GaussianMixture(3, random_state=0, **options)
    return fit.fit(source, executor=executor, checkpoint=checkpoint)


def same_bits(one, other):
    return (
        one.log_likelihood_ == other.log_likelihood_
        and np.array_equal(one.means_, other.means_)
        and np.array_equal(one.covariances_, other.covariances_)
        and np.array_equal(one.weights_, other.weights_)
        and one.n_iter_ == other.n_iter_
    )


@pytest.fixture(scope="module")
def in_memory():
    return GaussianMixture(3, random_state=0).fit(X)


@pytest.fixture(scope="module")
def streamed():
    return fitted(open_rows(X))


def test_a_source_has_the_fit_of_rows_in_memory(in_memory, streamed):
    assert streamed.log_likelihood_ == pytest.approx(in_memory.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(streamed.means_, in_memory.means_, atol=1e-6)
    np.testing.assert_allclose(streamed.covariances_, in_memory.covariances_, atol=1e-6)
    assert streamed.converged_
    assert streamed.n_rows_ == len(X)
    assert streamed.n_iter_ <= 12
    assert streamed.log_likelihood_ == pytest.approx(
        streamed.mixture_.log_density(X).sum(), rel=1e-12
    )


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(1), ThreadExecutor(3)])
def test_executors_change_no_bit(executor, streamed):
    assert same_bits(fitted(open_rows(X), executor), streamed)


def test_files_change_no_bit(tmp_path, streamed):
    np.save(tmp_path / "rows.npy", X)
    table = pa.table({"a": X[:, 0], "b": X[:, 1]})
    (tmp_path / "folder").mkdir()
    pq.write_table(table[:70_000], tmp_path / "folder" / "1.parquet", row_group_size=9_999)
    pq.write_table(table[70_000:], tmp_path / "folder" / "2.parquet")
    by_npy, by_parquet = (fitted(open_rows(tmp_path / name)) for name in ("rows.npy", "folder"))
    assert same_bits(by_npy, streamed)
    assert same_bits(by_parquet, streamed)
    assert by_parquet.mixture_.feature_names == ("a", "b")


@pytest.mark.parametrize("block", [1024, 8192, 7, len(X)])
def test_blocks_of_another_size_change_rounding_alone(block, streamed, monkeypatch):
    if block == 7:
        monkeypatch.setattr(streamed_fit, "BLOCK_ROWS", 9_973)
    else:
        monkeypatch.setattr(streamed_fit, "BLOCK_ROWS", block)
    other = fitted(open_rows(X))
    assert other.log_likelihood_ == pytest.approx(streamed.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(other.means_, streamed.means_, rtol=1e-10)
    np.testing.assert_allclose(other.covariances_, streamed.covariances_, rtol=1e-9)


def test_an_offset_moves_the_means_alone(streamed):
    moved = fitted(open_rows(X + 1e8))
    np.testing.assert_allclose(moved.means_ - 1e8, streamed.means_, atol=1e-6)
    np.testing.assert_allclose(moved.covariances_, streamed.covariances_, rtol=1e-5)


def test_weights_errors_and_missing_entries_come_along():
    rng = np.random.default_rng(6)
    x = X.copy()
    x[rng.random(x.shape) < 0.05] = np.nan
    weights = rng.integers(0, 4, len(x)).astype(float)
    noise = np.full(x.shape, 0.01)
    source = open_rows(x, sample_weight=weights, error_covariances=noise)
    here = GaussianMixture(3, random_state=0).fit(x, sample_weight=weights, error_covariances=noise)
    there = fitted(source)
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, abs=1e-5)
    np.testing.assert_allclose(there.means_, here.means_, atol=1e-6)
    assert there.n_rows_ == pytest.approx(weights.sum())


@pytest.mark.parametrize(
    "options",
    [
        {"covariance_type": "EVE"},
        {"covariance_type": "spherical"},
        {"equal_weights": True},
    ],
)
def test_models_with_restrictions(options):
    here = GaussianMixture(3, random_state=0, **options).fit(X)
    there = fitted(open_rows(X), **options)
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, abs=1e-5)
    assert there.n_parameters_ == here.n_parameters_
    np.testing.assert_allclose(there.means_, here.means_, atol=1e-5)


def test_few_rows_are_read_into_memory():
    few = X[:2_000]
    assert same_bits(fitted(open_rows(few)), GaussianMixture(3, random_state=0).fit(few))


class _Lost(Exception):
    pass


@pytest.mark.parametrize("passes", [1, 3])
def test_a_run_that_is_resumed_has_the_bits_of_one_that_was_not(
    passes, tmp_path, streamed, monkeypatch
):
    plain, made = streamed_fit.BlockSums.__call__, []

    def call(self, block):
        made.append(1)
        if len(made) > passes * 3:
            raise _Lost
        return plain(self, block)

    path = tmp_path / "run.json"
    monkeypatch.setattr(streamed_fit.BlockSums, "__call__", call)
    with pytest.raises(_Lost):
        fitted(open_rows(X), SerialExecutor(), checkpoint=path)
    monkeypatch.undo()
    resumed = fitted(open_rows(X), checkpoint=path)
    assert same_bits(resumed, streamed)
    # All passes are known now.
    monkeypatch.setattr(streamed_fit.BlockSums, "__call__", call)
    assert same_bits(fitted(open_rows(X), checkpoint=path), streamed)
    with pytest.raises(InputError, match="its seed is 0, and this one's 1"):
        GaussianMixture(3, random_state=1).fit(open_rows(X), checkpoint=path)
    with pytest.raises(InputError, match="its structure is 'VVV', and this one's 'EEE'"):
        fitted(open_rows(X), covariance_type="tied", checkpoint=path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"priors": "default"}, "priors cannot be used with a source of rows"),
        ({"noise_component": True}, "noise_component cannot be used"),
        ({"contaminated": True}, "contaminated cannot be used"),
        ({"reg_covar": 0.1}, "reg_covar cannot be used"),
    ],
)
def test_what_needs_all_rows_in_memory_is_refused(options, words):
    with pytest.raises(InvalidParameterError, match=words):
        fitted(open_rows(X), **options)


def test_arguments_that_do_not_go_together():
    with pytest.raises(InvalidParameterError, match="checkpoint is for sources of rows"):
        GaussianMixture(2).fit(X[:100], checkpoint="a.json")
    with pytest.raises(InvalidParameterError, match="executor is for sources of rows"):
        GaussianMixture(2).fit(X[:100], executor=SerialExecutor())
    with pytest.raises(InvalidParameterError, match="sample_weight cannot be given beside"):
        GaussianMixture(2).fit(open_rows(X), sample_weight=np.ones(len(X)))


def test_bad_rows_are_named():
    x = X.copy()
    x[123_456, 1] = np.inf
    with pytest.raises(InputError, match="123456"):
        fitted(open_rows(x))
    x[123_456, 1] = np.nan
    with pytest.raises(InputError, match=r"1 missing entries.*column 1"):
        fitted(open_rows(x), missing="raise")


def test_equal_rows_have_no_fit():
    with pytest.raises((InputError, FitError)):
        fitted(open_rows(np.ones((150_000, 2))))


def test_criteria_and_the_summary_are_those_of_the_rows(streamed):
    moved = streamed.permuted([2, 0, 1])
    for fit in (streamed, moved):
        assert fit.bic() == pytest.approx(fit.bic(X), rel=1e-12)
        assert fit.aic() == pytest.approx(fit.aic(X), rel=1e-12)
        assert fit.icl() == pytest.approx(fit.icl(open_rows(X)), rel=1e-12)
        assert fit.icl() == pytest.approx(fit.icl(X), rel=1e-12)
        assert fit.score() == pytest.approx(fit.score(X), rel=1e-12)
        sizes = np.bincount(fit.predict(X))
        for k, line in enumerate(fit.summary().split("size[")[1:]):
            assert line.split()[1] == f"{sizes[k]:,}"


def test_criteria_of_weighted_rows():
    weights = np.arange(len(X)) % 3.0
    fit = fitted(open_rows(X, sample_weight=weights))
    assert fit.bic() == pytest.approx(fit.bic(X, weights), rel=1e-12)
    assert fit.icl() == pytest.approx(fit.icl(X, weights), rel=1e-12)


@pytest.mark.parametrize("method", ["information", "sandwich"])
@pytest.mark.parametrize("unit", [1.0, 1e-200])
def test_standard_errors_are_those_of_the_rows(method, unit):
    weights = (1.0 + np.arange(len(X)) % 3) * unit
    fit = fitted(open_rows(X, sample_weight=weights))
    here = fit.standard_errors(X, method, sample_weight=weights)
    there = fit.standard_errors(open_rows(X, sample_weight=weights), method)
    np.testing.assert_allclose(there.weights, here.weights, rtol=1e-8)
    np.testing.assert_allclose(there.means, here.means, rtol=1e-8)
    np.testing.assert_allclose(there.correlations, here.correlations, rtol=1e-8)


def test_standard_errors_that_a_source_cannot_give(streamed):
    with pytest.raises(InvalidParameterError, match="'bootstrap' fits again and again"):
        streamed.standard_errors(open_rows(X), "bootstrap")
    with pytest.raises(InputError, match="not a maximum"):
        streamed.standard_errors(open_rows(X[:75_000] + 0.1))
    with pytest.raises(InputError, match="3 features"):
        streamed.standard_errors(open_rows(np.ones((50, 3))))


def test_passes_are_told_on_standard_error(capsys):
    GaussianMixture(3, random_state=0, verbose=1).fit(open_rows(X))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[:2] == ["Reading 150,000 rows of an array", "Fitting 9,375 of the rows"]
    assert lines[2].startswith("Pass 1: ")
    assert lines[-1].endswith("0:00:01 left")
