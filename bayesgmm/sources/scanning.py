"""One pass over rows: checks of all entries, sums by column, and a sample.

Each block is checked, summed and drawn from on its own, by whoever takes the pass; what was found
in them is put together in their order.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayesgmm.arguments import check_count, check_rng
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.coercion import Names, label
from bayesgmm.data.error_covariances import check_error_entries, rounding_of, unpacked
from bayesgmm.data.validation import (
    check_no_infinities,
    check_weight_entries,
    no_positive_weight,
    only_missing,
)
from bayesgmm.errors import InputError
from bayesgmm.sources.column_moments import ColumnMoments, MomentsInOrder, moments_of_block
from bayesgmm.sources.row_source import Block, RowSource

_SINGLE = np.dtype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What one pass over rows finds. Rows of weight 0 are checked, and otherwise not counted.

    Attributes
    ----------
    n_rows : int
        All rows.
    total_weight : float
        The sum of their weights; the number of rows without weights.
    n_weightless : int
        Rows of weight 0.
    n_unseen : int
        Rows of positive weight with every entry missing.
    columns : ColumnMoments
        Missing entries, ranges and moments by column, of the rows of positive weight.
    feature_names : tuple of str, or None
    has_errors : bool
        True if the rows have measurement errors.
    sample : Block
        Rows drawn without replacement, in their order.
    sample_rows : (m,)
        Their numbers.
    """

    n_rows: int
    total_weight: float
    n_weightless: int
    n_unseen: int
    columns: ColumnMoments
    feature_names: Names
    has_errors: bool
    sample: Block
    sample_rows: Integers

    @property
    def n_missing(self) -> Integers:
        """The number of rows (D,) in which each column is missing."""
        return self.columns.n_missing

    @property
    def ranges(self) -> Array:
        """Least and greatest values, (2, D)."""
        return np.stack([self.columns.minima, self.columns.maxima])

    @property
    def means(self) -> Array:
        """Weighted means (D,) of the entries that are seen."""
        return self.columns.means

    @property
    def variances(self) -> Array:
        """Weighted variances (D,) about the means, infinite beyond float64."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(self.columns.standard_deviations**2)

    @property
    def constant(self) -> Booleans:
        """True for each column (D,) whose values are all equal."""
        return np.asarray(self.columns.minima == self.columns.maxima)


def refuse_missing(found: Scan, source: RowSource) -> None:
    """Raise InputError if an entry of the rows is missing, for `missing="raise"`."""
    if found.n_missing.any():
        worst = label(found.feature_names, int(found.n_missing.argmax()))
        raise InputError(
            f"{source.describe()} has {int(found.n_missing.sum())} missing entries, most of them "
            f"in {worst}, and missing='raise' refuses them."
        )


def scan(
    source: RowSource,
    each: Callable[[Callable[[Block], "BlockScan"]], Iterable["BlockScan"]],
    *,
    sample_size: int = 0,
    rng: Any = None,
) -> Scan:
    """Put together what a pass over all rows of a source finds.

    Equal blocks give the same bits from all sources. The sample does not depend on the blocks.

    Parameters
    ----------
    source : RowSource
    each : callable
        From a function of a block, which can be pickled, to its values for all blocks, in their
        order.
    sample_size : int
        Number of rows to draw; all rows if there are no more.
    rng : seed or Generator, optional

    Raises
    ------
    InputError
        If an entry is infinite, a weight is negative or not finite, an error covariance is not one,
        a column is missing in all rows of positive weight, or the number of rows has changed; the
        message names the row and the column.
    InputTypeError
        If an entry is not a number.
    InvalidParameterError
        If `sample_size` or `rng` are not what they must be.
    """
    sample_size = min(check_count("sample_size", sample_size, 0), source.n_rows)
    wanted = np.sort(check_rng(rng).choice(source.n_rows, sample_size, replace=False))
    rows = wanted.astype(np.int64)
    moments, weights = MomentsInOrder(), []
    samples: list[Block] = []
    n_rows = n_weightless = n_unseen = 0
    has_errors = False
    for found in each(ScanOfBlock(source.feature_names, source.describe(), rows)):
        n_rows += found.n_rows
        n_weightless += found.n_weightless
        n_unseen += found.n_unseen
        has_errors = has_errors or found.sample.errors is not None
        weights.append(found.weight)
        if found.moments is not None:
            moments.add(found.moments)
        if not samples or len(found.sample.x):
            samples.append(found.sample)
    if n_rows != source.n_rows:
        raise InputError(
            f"{source.describe()} gave {n_rows} rows, but it had {source.n_rows} when it was "
            "opened. Open it again when it is complete."
        )
    if n_weightless == n_rows:
        raise no_positive_weight()
    columns = moments.total()
    unseen = np.isnan(columns.minima)
    if unseen.any():
        raise only_missing(source.feature_names, int(unseen.argmax()), source.describe())
    return Scan(
        n_rows=n_rows,
        total_weight=math.fsum(weights),
        n_weightless=n_weightless,
        n_unseen=n_unseen,
        columns=columns,
        feature_names=source.feature_names,
        has_errors=has_errors,
        sample=_together(samples),
        sample_rows=rows,
    )


class BlockScan(NamedTuple):
    """What is found in a block.

    Attributes
    ----------
    n_rows, n_weightless, n_unseen : int
        As in `Scan`.
    weight : float
        The sum of its weights.
    moments : ColumnMoments or None
        None if no row has a positive weight.
    sample : Block
        Its rows of the sample; of a block without any, the errors that all rows have.
    """

    n_rows: int
    n_weightless: int
    n_unseen: int
    weight: float
    moments: ColumnMoments | None
    sample: Block


@dataclass(frozen=True, slots=True, eq=False)
class ScanOfBlock:
    """From a block to what is found in it, or the error that names what is wrong with it.

    Attributes
    ----------
    feature_names : tuple of str, or None
    source : str
        In words.
    sample_rows : ndarray of int
        Numbers of the rows of the sample, in order.
    """

    feature_names: Names
    source: str
    sample_rows: Integers

    def __call__(self, block: Block) -> BlockScan:
        """Check a block, and find what it holds."""
        self._check(block)
        x, weights = block.x, block.weights
        start, m = block.first_row, len(x)
        lower, upper = np.searchsorted(self.sample_rows, [start, start + m])
        sample = block.take(self.sample_rows[lower:upper] - start)
        if weights is not None and not (kept := weights > 0.0).all():
            x, weights = x[kept], weights[kept]
        unseen = int(np.isnan(x).all(axis=1).sum()) if x.size and np.isnan(x.min()) else 0
        weight = float(len(x) if weights is None else weights.sum())
        moments = moments_of_block(x, weights) if len(x) else None
        return BlockScan(m, m - len(x), unseen, weight, moments, sample)

    def _check(self, block: Block) -> None:
        x, weights, errors, start = block
        names = self.feature_names
        check_no_infinities(x, names, self.source, start)
        if weights is not None:
            check_weight_entries(weights, f"sample_weight in {self.source}", start)
        if errors is None or ((one := len(errors) != len(x)) and start):
            return
        rounding = rounding_of(None)
        if np.array_equal(errors, errors.astype(np.float32)):
            rounding = rounding_of(_SINGLE)  # they were given in single precision
        matrices = unpacked(errors, x.shape[1])
        try:
            check_error_entries(matrices, names, one=one, rounding=rounding, first_row=start)
        except InputError as error:
            error.add_note(f"In {self.source}.")
            raise


def _together(samples: list[Block]) -> Block:
    """Rows of several blocks as one."""
    first = samples[0]
    x = np.concatenate([each.x for each in samples])
    weights = [each.weights for each in samples if each.weights is not None]
    errors = [each.errors for each in samples if each.errors is not None]
    each_row = sum(map(len, errors)) == len(x)
    return Block(
        x,
        np.concatenate(weights) if weights else None,
        np.concatenate(errors) if errors and each_row else first.errors,
    )
