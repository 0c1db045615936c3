"""Starts of EM: mixtures made from a sample of the rows."""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from bayesgmm.arrays import Array, Indices, Integers
from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.initialisation.hierarchical_clustering import Dendrogram, agglomerate
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# Rows of the sample on which starts are made and compared: enough for each component's covariance.
_SAMPLE, _SAMPLE_PER_PARAMETER, _MOST_SAMPLED = 2048, 20, 20_000
_LLOYD = 20
# Dendrograms: rows at most, and pairs of rows times what a pair costs in D columns.
_TREE_ROWS, _TREE_WORK = 1000, 4e7
# Pairs of rows among which near ones are looked for, and how often the metric is made anew.
_PAIRS, _PAIRS_PER_COLUMN, _NEAR_ROUNDS = 1000, 100, 5


class Sample(NamedTuple):
    """Rows on which starts are made, in the fit's units.

    Attributes
    ----------
    rows : ndarray of shape (m, D)
    weights : ndarray of shape (m,)
    whole : bool
        True if it holds every row of the data.
    labels : ndarray of shape (m,), optional
        Components of rows, -1 where unknown.
    """

    rows: Array
    weights: Array
    whole: bool
    labels: Integers | None = None


class Start(NamedTuple):
    """A mixture to begin from, and how it was made."""

    name: str
    parameters: Parameters

    def same(self, other: "Start") -> bool:
        """True if both have the same parameters."""
        return np.array_equal(self.parameters.means, other.parameters.means)


def sample_size(structure: Structure, n_components: int, n_features: int) -> int:
    """The number of rows that suffices to make and compare starts."""
    free = structure.n_parameters(n_components, n_features)
    return int(np.clip(_SAMPLE_PER_PARAMETER * free, _SAMPLE, _MOST_SAMPLED))


def from_labels(
    sample: Sample, labels: Integers, n_components: int, objective: Objective
) -> Parameters | None:
    """Weights and means of a partition, with its pooled covariance; None if a part is empty.

    The covariance within all parts together does not collapse where one part is small.
    """
    whole, counts, means, pooled = native.partition_start(
        sample.rows, sample.weights, labels, n_components, objective.structure.diagonal
    )
    if not whole:
        return None
    pooled = pooled[0] if objective.structure.diagonal else pooled
    return _with_pooled(counts, means, pooled, objective)


def from_responsibilities(
    rows: Array, responsibilities: Array, objective: Objective
) -> Parameters | None:
    """As `from_labels`, for responsibilities (K, n)."""
    counts = responsibilities.sum(axis=1)
    if not counts.min() > 0.0:
        return None
    means = responsibilities @ rows / counts[:, np.newaxis]
    # Rows are centred and scaled here: enough digits are left for a start.
    row_weights = responsibilities.sum(axis=0)
    if objective.structure.diagonal:
        pooled = row_weights @ rows**2 - counts @ means**2
    else:
        pooled = (rows.T * row_weights) @ rows - (means.T * counts) @ means
    return _with_pooled(counts, means, pooled, objective)


def without_rows(rows: Array, k: int, objective: Objective) -> Parameters:
    """A start that left a component without rows: a run from there ends before it begins."""
    d = rows.shape[1]
    empty = np.zeros((k, d) if objective.structure.diagonal else (k, d, d))
    return Parameters(np.full(k, 1.0 / k), np.zeros((k, d)), empty)


def _with_pooled(counts: Array, means: Array, pooled: Array, objective: Objective) -> Parameters:
    """The mixture of the structure whose components all have the pooled scatter.

    Without covariances where that leaves none: a run from there ends before it begins.
    """
    total = counts.sum()
    scatters = counts.reshape(-1, *(1,) * pooled.ndim) * (pooled / total)
    try:
        covariances = objective.covariances(counts, scatters)
    except SingularCovarianceError:
        covariances = np.zeros_like(scatters)
    return Parameters(counts / total, means, covariances)


@lru_cache(maxsize=8)
def _pairs(n: int, count: int) -> Integers:
    """Pairs of n rows, (2, count): the same for every seed, as others find no better metric."""
    return np.random.default_rng(0).integers(n, size=(2, count))


class Views:
    """Coordinates of a sample in which starts are made, and its dendrograms; each made once.

    `whitened` and `near` do not depend on any linear map of the rows, up to a rotation that no
    distance sees; `scaled` not on the columns' units; `rows` themselves not on a rotation. What a
    structure leaves free (all maps, units of columns, rotations) its starts leave free too.
    """

    def __init__(self, sample: Sample, rng: np.random.Generator) -> None:
        self.sample = sample
        self._rng = rng
        self._dendrograms: dict[tuple[str, str], Dendrogram] = {}

    @cached_property
    def rows(self) -> Array:
        """Rows in the fit's units."""
        return self.sample.rows

    @cached_property
    def scaled(self) -> Array:
        """Columns of standard deviation 1 (those that vary)."""
        deviation = self.rows.std(axis=0)
        return self.rows / np.where(deviation > 0.0, deviation, 1.0)

    @cached_property
    def whitened(self) -> Array:
        """Rows whose covariance is the identity."""
        return whitened(self.rows)

    @cached_property
    def near(self) -> Array:
        """Rows in which differences between near rows have the identity for a covariance."""
        z = self.whitened
        n, d = z.shape
        first, second = _pairs(n, _PAIRS + _PAIRS_PER_COLUMN * d)
        return native.whiten_near_pairs(z, z[first] - z[second], _NEAR_ROUNDS)

    @cached_property
    def chosen(self) -> Indices:
        """Rows of the sample that trees are made of: all, or as many as take no long time."""
        n, d = self.rows.shape
        size = min(_TREE_ROWS, int(np.sqrt(_TREE_WORK / (20.0 + d**3 / 3.0))))
        if n <= size:
            return np.arange(n)
        return np.sort(self._rng.choice(n, size, replace=False))

    def cut(
        self, criterion: str, view: str, n_components: int, objective: Objective
    ) -> Start | None:
        """A start from a dendrogram; None if it has fewer rows than components."""
        rows, weights = self.sample.rows[self.chosen], self.sample.weights[self.chosen]
        if len(rows) < n_components:
            return None
        if (criterion, view) not in self._dendrograms:
            z = np.ascontiguousarray(getattr(self, view)[self.chosen])
            self._dendrograms[criterion, view] = agglomerate(z, criterion, weights)
        labels = self._dendrograms[criterion, view].labels(n_components)
        part = Sample(rows, weights, whole=False)
        parameters = from_labels(part, labels, n_components, objective)
        return None if parameters is None else Start(f"hierarchical, {criterion}", parameters)


def portfolio(
    views: Views, n_components: int, objective: Objective, rng: np.random.Generator
) -> Iterator[Start]:
    """An unlimited sequence of starts, of several kinds in turn.

    Four starts, by k-means in a metric that suits the structure (twice), by k-means on whitened
    rows, and by the nearest of random rows; then one of each dendrogram; then these again.
    """
    if n_components == 1 or not objective.structure.scales_by_column:
        metric, trees = "rows", (("EII", "rows"), ("VVV", "rows"), ("VII", "whitened"))
    elif objective.structure.diagonal:
        metric, trees = "scaled", (("EII", "scaled"), ("VVV", "scaled"), ("EEE", "whitened"))
    else:
        metric, trees = "near", (("VVV", "whitened"), ("EEE", "whitened"), ("EII", "near"))
    order = ((metric, _LLOYD), ("whitened", 0), (metric, _LLOYD), ("whitened", _LLOYD))
    sample, in_vain = views.sample, 0
    for turn in count():
        view, lloyd = order[turn % len(order)]
        z = getattr(views, view)
        if lloyd:
            name = "k-means" if view == metric else "k-means, whitened"
            labels = native.k_means(z, sample.weights, rng.random(n_components), lloyd)
        else:
            name = "random rows"
            # Without replacement, by weight: the first arrivals of Poisson processes of that rate.
            arrivals = rng.exponential(size=len(z)) / sample.weights
            chosen = np.argpartition(arrivals, n_components - 1)[:n_components]
            labels = native.nearest_of(z, chosen)
        parameters = from_labels(sample, labels, n_components, objective)
        in_vain = in_vain + 1 if parameters is None else 0
        if in_vain > len(order):
            # Next to a far row others may be nearly equal, without such groups: a failing start.
            parameters = without_rows(sample.rows, n_components, objective)
        if parameters is not None:
            yield Start(name, parameters)
        if turn == len(order) - 1:
            for criterion, view in trees:
                start = views.cut(criterion, view, n_components, objective)
                if start is not None:
                    yield start


def from_known_labels(sample: Sample, n_components: int, objective: Objective) -> Start | None:
    """A start from labelled rows, each other row beside the nearest mean of their groups.

    None unless each component has a labelled row.
    """
    if sample.labels is None:
        return None
    known = sample.labels >= 0
    if len(np.unique(sample.labels[known])) < n_components:
        return None
    z = whitened(sample.rows)
    means = np.array([z[sample.labels == k].mean(axis=0) for k in range(n_components)])
    nearest = (np.square(means).sum(axis=1) - 2.0 * z @ means.T).argmin(axis=1)
    labels = np.where(known, sample.labels, nearest)
    parameters = from_labels(sample, labels, n_components, objective)
    return None if parameters is None else Start("known labels", parameters)


def by_known_labels(sample: Sample, start: Start) -> Start:
    """The start with its components in the order in which labelled rows are most probable."""
    if sample.labels is None:
        return start
    known = sample.labels >= 0
    k = len(start.parameters.weights)
    try:
        joint = _log_joint(sample.rows[known], start.parameters)
    except np.linalg.LinAlgError:
        # A singular start, whose run ends before it begins.
        return start
    joint = (joint - joint.max(axis=0)) * sample.weights[known]
    costs = np.array([-joint[:, sample.labels[known] == j].sum(axis=1) for j in range(k)])
    _, order = linear_sum_assignment(costs)
    return start._replace(parameters=start.parameters.permuted(order))


def _in_metric_of(covariance: Array, rows: Array) -> Array:
    """Rows in coordinates in which a covariance, or variances (D,), are 1."""
    if covariance.ndim == 1:
        return rows / np.sqrt(covariance)
    return np.linalg.solve(np.linalg.cholesky(covariance), rows.T).T


def _log_joint(rows: Array, parameters: Parameters) -> Array:
    """Log of weight times density (K, n), but for a constant: good enough to sort rows by."""
    weights, means, covariances = parameters
    out = np.empty((len(weights), len(rows)))
    for k, covariance in enumerate(covariances):
        z = _in_metric_of(covariance, rows - means[k])
        log_det = (
            np.log(covariance).sum() if covariance.ndim == 1 else np.linalg.slogdet(covariance)[1]
        )
        out[k] = np.log(weights[k]) - 0.5 * (np.square(z).sum(axis=1) + log_det)
    return out


def whitened(rows: Array) -> Array:
    """Rows with the identity for a covariance (up to directions in which they do not vary)."""
    centred = rows - rows.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    keep = singular > 1e-12 * singular[0]
    scale = np.sqrt(len(rows)) / singular[keep]
    return np.ascontiguousarray(centred @ (directions[keep].T * scale))
