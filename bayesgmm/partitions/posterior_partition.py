"""A point estimate of the partition of the rows under a posterior, with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.arguments import check_probability, check_rng, check_text
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.partitions.drawn_partitions import DrawnPartitions, drawn_partitions
from bayesgmm.partitions.least_loss import in_order, least_expected_loss
from bayesgmm.partitions.losses import Loss, loss_of
from bayesgmm.partitions.matched_clusters import components_of
from bayesgmm.posterior.reader import Posterior, estimated_outliers, read_estimate
from bayesgmm.results import Result

BOUNDS = ("upper", "lower", "horizontal")
# Rows of a smaller membership are uncertain.
_CERTAIN = 0.75


@dataclass(frozen=True, eq=False, repr=False)
class Partition(Result):
    """Result of `posterior_partition`.

    Attributes
    ----------
    labels : ndarray of shape (n,)
        The cluster of each row, from 0, larger clusters first.
    loss, unit : str
        The loss and its unit, in words.
    expected_loss : float
        Mean loss between the partition and the draws.
    losses : ndarray of shape (chain, draw)
        Loss between the partition and each draw.
    prob, radius : float
        The credible ball: the partitions within `radius`, the least loss within which at least
        `prob` of the draws lie.
    upper, lower, horizontal : ndarray of shape (n,)
        Bounds of the ball: of the draws in it, the one of largest loss, among those with the fewest
        clusters, with the most clusters, and among all.
    bounds : DataFrame
        For each bound its ``loss``, the number of its ``clusters`` and their ``sizes``.
    rows : DataFrame
        For each row its ``cluster``; its ``membership``, the proportion of draws in which it is
        with most of the other rows of this cluster; ``together``, the posterior probability of
        sharing a cluster with another row of it, averaged over these; the ``next`` cluster, that
        with most of whose rows it is most often among the others, and the proportion of draws,
        ``next_membership`` (-1 and 0 if there is one cluster alone); and ``uncertain``, a
        membership below 0.75. For a cluster of one row, membership and ``together`` are the
        proportion of draws in which it is alone.
    X : ndarray of shape (n, D) or None
        The rows, if they are known.
    feature_names : tuple of D str, or None
    components : tuple of int
        For each cluster, the component of EM's estimate in the posterior with which it shares most
        rows, by whose number and colour plots show it: -1 for noise, and numbers from K on for
        clusters that share most rows with none. Without an estimate, the clusters themselves.
    component_names : tuple of K str, or None

    Examples
    --------
    >>> from bayesgmm import load_dataset, posterior_partition, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> found = posterior_partition(posterior, rng=1)
    >>> found.n_clusters, found.table["rows"].tolist()
    (2, [175, 97])
    """

    labels: Integers
    loss: str
    unit: str
    expected_loss: float
    losses: Array
    prob: float
    radius: float
    upper: Integers
    lower: Integers
    horizontal: Integers
    bounds: pd.DataFrame
    rows: pd.DataFrame
    X: Array | None
    feature_names: tuple[str, ...] | None
    components: tuple[int, ...]
    component_names: tuple[str, ...] | None = None

    @property
    def cluster_names(self) -> tuple[str, ...]:
        """Each cluster by the component with which it shares most rows."""
        names = self.component_names or ()
        return tuple(
            "noise" if k < 0 else names[k] if k < len(names) else str(k) for k in self.components
        )

    @property
    def by_component(self) -> list[int]:
        """The clusters in the order of their components, noise last."""
        return sorted(
            range(len(self.components)), key=lambda k: (self.components[k] < 0, self.components[k])
        )

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return int(self.labels.max()) + 1

    @property
    def uncertain(self) -> Booleans:
        """True for rows that are elsewhere in more than a quarter of the draws, (n,)."""
        return np.asarray(self.rows["uncertain"])

    @property
    def table(self) -> pd.DataFrame:
        """For each cluster its rows, those that are uncertain, and means over its rows."""
        groups = self.rows.groupby("cluster")
        return pd.DataFrame(
            {
                "rows": groups.size(),
                "uncertain": groups["uncertain"].sum(),
                "membership": groups["membership"].mean(),
                "together": groups["together"].mean(),
            }
        )

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        rows, clusters = plural(len(self.labels), "row"), plural(self.n_clusters, "cluster")
        return [
            f"Partition of {rows} into {clusters}, of the least expected {self.loss} over "
            f"{plural(self.losses.size, 'draw')}: {self.expected_loss:.4g} {self.unit}.",
            self.table,
            f"{100 * self.prob:g} % credible ball: partitions within {self.radius:.4g} "
            f"{self.unit}. Its bounds with the fewest and the most clusters, and the farthest:",
            self.bounds,
        ]


def posterior_partition(
    posterior: Posterior,
    X: Any = None,
    *,
    loss: str = "vi",
    prob: float = 0.95,
    allocations: str | None = None,
    variables: Mapping[str, str] | None = None,
    rng: Any = None,
) -> Partition:
    """The clustering of the rows that a posterior as a whole supports, with a credible ball.

    Each draw of a posterior partitions the rows. The estimate is the partition of least expected
    loss over the draws. It does not depend on labels, and its number of clusters is not that of
    the components: components that hold no row, or that the draws do not tell apart, are not
    clusters of their own.

    Parameters
    ----------
    posterior : DataTree or Dataset
        Of `sample_posterior`, or any with weights, means and covariances; or, with `allocations`,
        of a mixture of any family. Relabelled or not.
    X : array-like of shape (n, D), optional
        Rows; by default the fitted ones. Each counts once, whatever its weight.
    loss : {"vi", "binder"}
        Variation of information, in bits (logarithms to base 2); or Binder's loss with equal costs,
        the number of pairs of rows that are together in one of two partitions alone. Binder's loss
        tends to put uncertain rows into small clusters of their own.
    prob : float
        Posterior probability of the credible ball.
    allocations : str, optional
        Variable of the posterior with allocations, of axes (chain, draw, row). Without it, each row
        is allocated in each draw at random, by its responsibilities under the draw; noise is one
        more component.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.
    rng : anything that ``numpy.random.default_rng`` accepts
        For allocations and for the search. The result does not depend on the number of threads.

    Returns
    -------
    Partition

    Raises
    ------
    InputError
        If a group or variable is missing, X has another number of features, or draws times rows
        exceed 1e8.

    Notes
    -----
    The expected loss is evaluated from counts of rows by clusters and draws; no array of pairs of
    rows is formed. The search is that of SALSO, with mergers of clusters: rows move one at a time
    to the cluster where the expected loss is least, from several starts, and clusters are broken
    up and placed anew. It is not exhaustive.

    References
    ----------
    Wade and Ghahramani (2018), Bayesian Analysis 13, 559-626: losses and credible balls. Dahl,
    Johnson and Müller (2022), Journal of Computational and Graphical Statistics 31, 1189-1201: the
    search.

    Examples
    --------
    >>> from bayesgmm import load_dataset, posterior_partition, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> found = posterior_partition(posterior, rng=1)
    >>> found.labels.shape, found.loss
    ((272,), 'variation of information')
    """
    prob = check_probability("prob", prob)
    check_text("allocations", allocations)
    generator = check_rng(rng)
    loss_of(loss, 1)
    drawn = drawn_partitions(posterior, X, allocations, variables, generator)
    chosen = loss_of(loss, drawn.labels.shape[1])
    labels = least_expected_loss(drawn, chosen, generator)
    tables = drawn.tables(labels)
    losses = chosen.between(tables)
    return Partition(
        labels,
        chosen.name,
        chosen.unit,
        float(losses.mean()),
        losses.reshape(drawn.shape),
        prob,
        *_credible_ball(drawn, chosen, losses, tables, prob),
        _rows(drawn, labels, tables),
        *_known(drawn.rows),
        _components(posterior, drawn.rows, labels),
    )


def _components(posterior: Posterior, rows: Data | None, labels: Integers) -> tuple[int, ...]:
    """The components of EM's estimate in a posterior to which clusters correspond."""
    mixture = None if rows is None else read_estimate(posterior)
    if rows is None or mixture is None or mixture.n_features != rows.X.shape[1]:
        return tuple(range(labels.max() + 1))
    noise, outliers = estimated_outliers(posterior)
    unnamed = rows._replace(feature_names=None, labels=None)
    probabilities = memberships(unnamed, mixture, noise, outliers)[1]
    components = probabilities.argmax(axis=1)
    components[1.0 - probabilities.sum(axis=1) > probabilities.max(axis=1)] = -1
    return components_of(labels, components, mixture.n_components)


def _known(rows: Data | None) -> tuple[Array | None, tuple[str, ...] | None]:
    return (None, None) if rows is None else (rows.X, rows.feature_names)


def _credible_ball(
    drawn: DrawnPartitions, loss: Loss, losses: Array, tables: Array, prob: float
) -> tuple[float, Integers, Integers, Integers, pd.DataFrame]:
    """The radius, the upper, lower and horizontal bounds, and their table."""
    radius = np.sort(losses)[int(np.ceil(prob * len(losses))) - 1]
    # Equal partitions may differ by rounding.
    inside = losses <= radius + 1e-12 * loss.h[-1]
    counts = (tables.sum(axis=2) > 0.0).sum(axis=1)
    fewest, most = counts[inside].min(), counts[inside].max()
    farthest = [
        int(np.where(inside & which, losses, -np.inf).argmax())
        for which in (counts == fewest, counts == most, inside)
    ]
    upper, lower, horizontal = parts = [in_order(drawn.labels[t]) for t in farthest]
    table = pd.DataFrame(
        {
            "loss": losses[farthest],
            "clusters": counts[farthest],
            "sizes": [np.bincount(part).tolist() for part in parts],
        },
        index=pd.Index(BOUNDS, name="bound"),
    )
    return float(radius), upper, lower, horizontal, table


def _rows(drawn: DrawnPartitions, labels: Integers, tables: Array) -> pd.DataFrame:
    """The cluster of each row, and how certain it is."""
    n, t = len(labels), np.arange(len(tables))
    sizes = np.bincount(labels)
    # The largest part of each cluster in a draw, and the second largest: (T, K).
    parts = np.sort(np.concatenate((np.zeros_like(tables[:, :1]), tables), axis=1), axis=1)
    largest, second = parts[:, -1], parts[:, -2]
    of_draws = tables.sum(axis=2)
    memberships, together = np.empty((n, len(sizes))), np.empty(n)
    for i, own in enumerate(labels):
        beside = tables[t, drawn.labels[:, i]]
        with_most = beside == largest
        memberships[i] = with_most.mean(axis=0)
        # Without the row itself, a part as large as the second is not the largest.
        memberships[i, own] = (with_most & (largest > second))[:, own].mean()
        together[i] = (beside[:, own].mean() - 1.0) / max(sizes[own] - 1.0, 1.0)
        if sizes[own] == 1:
            alone = of_draws[t, drawn.labels[:, i]] == 1.0
            memberships[i, own] = together[i] = alone.mean()
    membership = memberships[np.arange(n), labels]
    memberships[np.arange(n), labels] = -1.0
    following, with_next = memberships.argmax(axis=1), memberships.max(axis=1)
    if len(sizes) == 1:
        following, with_next = np.full(n, -1), np.zeros(n)
    return pd.DataFrame(
        {
            "cluster": labels,
            "membership": membership,
            "together": together,
            "next": following,
            "next_membership": with_next,
            "uncertain": membership < _CERTAIN,
        },
        index=pd.RangeIndex(n, name="row"),
    )
