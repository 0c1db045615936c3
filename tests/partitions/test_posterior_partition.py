"""The partition of a posterior: its loss, its credible ball, and the rows that are uncertain."""

import numpy as np
import pytest
import xarray as xr
from plain_partitions import binder, draws_around, variation_of_information

from bayesgmm import load_dataset, posterior_partition, relabel, sample_posterior, scenario
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.partitions.drawn_partitions import drawn_partitions

FAITHFUL = load_dataset("faithful").X


@pytest.fixture(scope="module")
def faithful():
    return sample_posterior(FAITHFUL, 2, draws=150, chains=2, rng=0, progressbar=False)


def with_allocations(z, chains=2):
    values = z.reshape(chains, -1, z.shape[1])
    return xr.Dataset({"z": (("chain", "draw", "row"), values)})


@pytest.fixture(scope="module")
def noisy():
    return draws_around(np.random.default_rng(0), 80, 30, 4, 0.25)


@pytest.mark.parametrize(("word", "plain"), [("vi", variation_of_information), ("binder", binder)])
def test_the_ball_holds_the_draws_within_its_radius(noisy, word, plain):
    found = posterior_partition(
        with_allocations(noisy), allocations="z", loss=word, prob=0.9, rng=1
    )
    losses = np.array([plain(found.labels, each) for each in noisy])
    np.testing.assert_allclose(found.losses.ravel(), losses, atol=1e-9)
    assert found.losses.shape == (2, 40)
    assert found.expected_loss == pytest.approx(losses.mean(), abs=1e-9)
    assert (losses <= found.radius + 1e-9).mean() >= 0.9
    assert (losses < found.radius - 1e-9).mean() < 0.9
    inside = [each for each, loss in zip(noisy, losses, strict=True) if loss <= found.radius + 1e-9]
    counts = np.array([len(np.unique(each)) for each in inside])
    within = np.array([plain(found.labels, each) for each in inside])
    for bound, which in (
        ("upper", counts == counts.min()),
        ("lower", counts == counts.max()),
        ("horizontal", counts > 0),
    ):
        part = getattr(found, bound)
        assert plain(found.labels, part) == pytest.approx(within[which].max(), abs=1e-9)
        assert found.bounds.loc[bound, "loss"] == pytest.approx(within[which].max(), abs=1e-9)
        assert found.bounds.loc[bound, "clusters"] == part.max() + 1
        assert sum(found.bounds.loc[bound, "sizes"]) == 30


def test_rows_are_with_most_of_their_cluster(noisy):
    found = posterior_partition(with_allocations(noisy), allocations="z", rng=1)
    rows, labels = found.rows, found.labels
    for i in range(30):
        others = np.flatnonzero((labels == labels[i]) & (np.arange(30) != i))
        assert len(others) > 0
        together = np.mean(noisy[:, others] == noisy[:, [i]])
        assert rows["together"][i] == pytest.approx(together, abs=1e-12)
        with_most = []
        for z in noisy:
            counts = np.bincount(z[others], minlength=4)
            with_most.append(counts[z[i]] == counts.max())
        assert rows["membership"][i] == pytest.approx(np.mean(with_most), abs=1e-12)
        elsewhere = {
            k: np.mean([
                (counts := np.bincount(z[labels == k], minlength=4))[z[i]] == counts.max()
                for z in noisy
            ])
            for k in range(found.n_clusters)
            if k != labels[i]
        }  # fmt: skip
        assert rows["next_membership"][i] == pytest.approx(max(elsewhere.values()), abs=1e-12)
        assert elsewhere[rows["next"][i]] == pytest.approx(max(elsewhere.values()), abs=1e-12)
    np.testing.assert_array_equal(found.uncertain, rows["membership"] < 0.75)
    assert found.table["rows"].tolist() == np.bincount(labels).tolist()
    assert found.table["uncertain"].sum() == found.uncertain.sum()


def test_a_row_alone_is_as_certain_as_it_is_alone():
    z = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    found = posterior_partition(with_allocations(z), allocations="z", rng=1)
    np.testing.assert_array_equal(found.labels, [0, 0, 0, 1])
    assert found.rows.loc[3, ["membership", "together"]].tolist() == [0.75, 0.75]
    assert found.rows.loc[0, "membership"] == 1.0
    assert found.rows.loc[3, "next_membership"] == 0.25


def test_one_cluster_has_no_next():
    z = np.zeros((4, 6), dtype=np.int64)
    found = posterior_partition(with_allocations(z), allocations="z", rng=1)
    assert found.n_clusters == 1
    assert found.radius == found.expected_loss == 0.0
    assert (found.rows["next"] == -1).all()
    assert not found.uncertain.any()
    assert "into 1 cluster," in found.summary()


def test_the_partition_does_not_depend_on_labels(faithful):
    one = posterior_partition(faithful, rng=3)
    other = posterior_partition(relabel(faithful), rng=3)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert one.n_clusters == 2
    assert one.table["rows"].tolist() == [175, 97]
    np.testing.assert_array_equal(one.X, FAITHFUL)


def test_equal_seeds_give_equal_bits_for_any_number_of_threads(faithful, monkeypatch):
    found = []
    for threads in "1", "3":
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", threads)
        found.append(posterior_partition(faithful, rng=5))
    np.testing.assert_array_equal(found[0].labels, found[1].labels)
    np.testing.assert_array_equal(found[0].losses, found[1].losses)
    other = posterior_partition(faithful, rng=6)
    assert (found[0].losses != other.losses).any()


def test_rows_are_allocated_by_their_responsibilities_and_independently():
    mixture = scenario("overlapping_ellipses")
    shape, x = (2, 400), mixture.sample(60, rng=0)[0]
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    values = {
        name: np.broadcast_to(each, (*shape, *each.shape))
        for name, each in vars_of(mixture).items()
    }
    group = xr.Dataset({name: (dims[: each.ndim], each) for name, each in values.items()})
    found = drawn_partitions(group, x, None, None, np.random.default_rng(1))
    r = mixture.responsibilities(x)[:, 0]
    spread = np.sqrt(r * (1.0 - r))
    drawn = (found.labels == 0).mean(axis=0)
    assert (np.abs(drawn - r) <= 4.5 * spread / np.sqrt(800) + 1e-9).all()
    z = ((found.labels == 0) - r)[:, spread > 0.2] / spread[spread > 0.2]
    assert z.shape[1] > 10
    across = np.corrcoef(z.T)[np.triu_indices(z.shape[1], 1)]
    along = (z[1:] * z[:-1]).mean(axis=0)
    assert max(np.abs(across).max(), np.abs(along).max()) < 5.0 / np.sqrt(800)


def vars_of(mixture):
    return {
        "weights": mixture.weights,
        "means": mixture.means,
        "covariances": mixture.covariances,
    }


def test_noise_is_a_cluster_of_its_own_and_known_labels_count():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((180, 2)) + np.repeat([[0.0, 0.0], [8.0, 0.0]], (100, 80), axis=0)
    x = np.vstack((x, rng.uniform(-30.0, 40.0, (12, 2))))
    options = {"draws": 60, "chains": 2, "progressbar": False, "rng": 1}
    noisy = sample_posterior(x, 2, noise_component=True, **options)
    found = posterior_partition(noisy, rng=1)
    assert found.n_clusters == 3
    assert len(set(found.labels[:100])) <= 2
    assert (found.labels[-12:] == 2).sum() >= 10
    labels = np.full(len(x), -1)
    # Two rows of the component on the right lie among those on the left.
    labels[:2], labels[2:20], labels[100:120] = 1, 0, 1
    known = sample_posterior(x[:180], 2, labels=labels[:180], **options)
    part = posterior_partition(known, rng=1)
    assert (part.labels[:2] == np.bincount(part.labels[100:]).argmax()).all()
    assert (part.labels[2:100] != part.labels[0]).mean() > 0.9


def test_weights_of_rows_do_not_count(faithful):
    weighted = sample_posterior(
        FAITHFUL, 2, draws=20, chains=1, rng=0, progressbar=False,
        sample_weight=np.where(np.arange(272) < 5, 3.0, 1.0),
    )  # fmt: skip
    assert len(posterior_partition(weighted, rng=1).labels) == 272


def test_allocations_of_any_family_and_their_rows():
    rng = np.random.default_rng(2)
    z = draws_around(rng, 40, 25, 3, 0.1) * 10 + 5
    group, x = with_allocations(z), rng.standard_normal(25)
    assert posterior_partition(group, allocations="z", rng=1).X is None
    observed = xr.Dataset({"y": (("row",), x)})
    tree = xr.DataTree.from_dict({"posterior": group, "observed_data": observed})
    found = posterior_partition(tree, allocations="z", rng=1)
    np.testing.assert_array_equal(found.X, x[:, None])
    np.testing.assert_array_equal(
        posterior_partition(group, x, allocations="z", rng=1).X, x[:, None]
    )
    with pytest.raises(InputError, match="X has 3 rows, but the allocations are of 25"):
        posterior_partition(group, x[:3], allocations="z", rng=1)


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("zz", "no variable 'zz'"),
        ("flat", "axes \\(chain, draw, row\\)"),
        ("real", "must be integers"),
    ],
)
def test_other_variables_are_refused(variable, words):
    dims = ("chain", "draw", "row")
    group = xr.Dataset(
        {"flat": (dims[:2], np.zeros((2, 3), dtype=int)), "real": (dims, np.zeros((2, 3, 4)))}
    )
    with pytest.raises(InputError, match=words):
        posterior_partition(group, allocations=variable)


def test_too_many_draws_are_refused_with_the_remedy(faithful, monkeypatch):
    monkeypatch.setattr("bayesgmm.partitions.drawn_partitions._MOST", 30_000)
    with pytest.raises(InputError, match=r"by a step of 3"):
        posterior_partition(faithful, rng=1)
    thinned = faithful.isel(draw=slice(None, None, 3))
    assert posterior_partition(thinned, rng=1).losses.shape == (2, 50)


def test_arguments_are_checked_before_the_work(faithful):
    with pytest.raises(InvalidParameterError, match="loss must be one of 'vi', 'binder'"):
        posterior_partition(faithful, loss="rand")
    with pytest.raises(InvalidParameterError, match="prob must be a number between 0 and 1"):
        posterior_partition(faithful, prob=1.0)


def test_the_summary_has_units_and_both_tables(faithful):
    text = posterior_partition(faithful, rng=1).summary()
    for words in ("272 rows into 2 clusters", "variation of information", "bits", "horizontal"):
        assert words in text
    assert "<table" in posterior_partition(faithful, loss="binder", rng=1)._repr_html_()


def test_clusters_name_the_components_of_the_estimate(faithful):
    """The larger cluster comes first; the component of small means is the first one."""
    found = posterior_partition(faithful, rng=1)
    assert found.table["rows"].tolist() == [175, 97]
    assert found.components == (1, 0)
    assert found.cluster_names == ("1", "0")
    assert posterior_partition(faithful["posterior"].to_dataset(), FAITHFUL, rng=1).components == (
        0,
        1,
    )


def test_features_have_the_names_of_the_posterior():
    frame = load_dataset("faithful").frame
    posterior = sample_posterior(frame, 2, draws=20, tune=20, chains=1, rng=0, progressbar=False)
    found = posterior_partition(posterior, rng=1)
    assert found.feature_names == ("eruptions (min)", "waiting (min)")
