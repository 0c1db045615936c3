"""One pass over rows: checks of all entries, sums by column, and a sample."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.arguments import check_count, check_rng
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.coercion import Names
from bayesgmm.data.error_covariances import check_error_entries, rounding_of, unpacked
from bayesgmm.data.validation import (
    check_no_infinities,
    check_weight_entries,
    no_positive_weight,
    only_missing,
)
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMError, InputError
from bayesgmm.sources.column_moments import ColumnMoments, MomentsInOrder, moments_of_block
from bayesgmm.sources.row_source import Block, RowSource, blocks_in_order

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


def scan(
    source: RowSource, *, block_rows: int = 65536, sample_size: int = 0, rng: Any = None
) -> Scan:
    """Read all rows of a source once, in their order, a block at a time.

    Equal blocks give the same bits from all sources. The sample does not depend on the blocks.

    Parameters
    ----------
    source : RowSource
    block_rows : int
    sample_size : int
        Number of rows to draw; all rows if there are no more.
    rng : seed or Generator, optional

    Raises
    ------
    InputError
        If an entry is infinite, a weight is negative or not finite, an error covariance is not one,
        a column is missing in all rows of positive weight, or the number of rows has changed; the
        message names the row, the column and the block.
    InputTypeError
        If an entry is not a number.
    InvalidParameterError
        If `block_rows`, `sample_size` or `rng` are not what they must be.
    """
    block_rows = check_count("block_rows", block_rows)
    sample_size = min(check_count("sample_size", sample_size, 0), source.n_rows)
    wanted = np.sort(check_rng(rng).choice(source.n_rows, sample_size, replace=False))
    sample = _Sample(wanted.astype(np.int64))
    moments, counts = MomentsInOrder(), _Counts()
    for number, block in enumerate(_blocks(source, block_rows)):
        _check(block, source, number, counts.n_rows)
        sample.add(block, counts.n_rows)
        x, weights = counts.add(block)
        if len(x):
            moments.add(moments_of_block(x, weights))
    if counts.n_rows != source.n_rows:
        raise InputError(
            f"{source.describe()} gave {counts.n_rows} rows, but it had {source.n_rows} when it "
            "was opened. Open it again when it is complete."
        )
    if counts.n_weightless == counts.n_rows:
        raise no_positive_weight()
    columns = moments.total()
    unseen = np.isnan(columns.minima)
    if unseen.any():
        raise only_missing(source.feature_names, int(unseen.argmax()), source.describe())
    return Scan(
        n_rows=counts.n_rows,
        total_weight=math.fsum(counts.weights),
        n_weightless=counts.n_weightless,
        n_unseen=counts.n_unseen,
        columns=columns,
        feature_names=source.feature_names,
        has_errors=counts.has_errors,
        sample=sample.block(),
        sample_rows=sample.rows,
    )


class _Counts:
    """Numbers of rows, and their weights, of the blocks so far."""

    def __init__(self) -> None:
        self.n_rows = self.n_weightless = self.n_unseen = 0
        self.weights: list[float] = []  # by block
        self.has_errors = False

    def add(self, block: Block) -> tuple[Array, Array | None]:
        """Count a block, and return its rows of positive weight, and the weights."""
        x, weights = block.x, block.weights
        self.n_rows += len(x)
        self.has_errors = self.has_errors or block.errors is not None
        if weights is not None and not (kept := weights > 0.0).all():
            self.n_weightless += len(x) - int(kept.sum())
            x, weights = x[kept], weights[kept]
        if x.size and np.isnan(x.min()):
            self.n_unseen += int(np.isnan(x).all(axis=1).sum())
        self.weights.append(float(len(x) if weights is None else weights.sum()))
        return x, weights


class _Sample:
    """Rows of given numbers, taken from blocks that come in order."""

    def __init__(self, rows: Integers) -> None:
        self.rows = rows
        self._parts: list[Block] = []

    def add(self, block: Block, start: int) -> None:
        """Take the rows of a block whose first row is row `start`."""
        m = len(block.x)
        lower, upper = np.searchsorted(self.rows, [start, start + m])
        chosen = self.rows[lower:upper] - start
        if not self._parts or chosen.size:
            weights = None if block.weights is None else block.weights[chosen]
            errors = block.errors
            if errors is not None and len(errors) == m:
                errors = errors[chosen]
            self._parts.append(Block(block.x[chosen], weights, errors))

    def block(self) -> Block:
        """Return the rows."""
        first = self._parts[0]
        x = np.concatenate([part.x for part in self._parts])
        weights = [part.weights for part in self._parts if part.weights is not None]
        errors = [part.errors for part in self._parts if part.errors is not None]
        each_row = sum(map(len, errors)) == len(x)
        return Block(
            x,
            np.concatenate(weights) if weights else None,
            np.concatenate(errors) if errors and each_row else first.errors,
        )


def _blocks(source: RowSource, block_rows: int) -> Iterator[Block]:
    """Yield the blocks of a source; its errors say how many had been read."""
    number = 0
    try:
        for block in blocks_in_order(source, block_rows):
            yield block
            number += 1
    except BayesGMMError as error:
        error.add_note(
            f"{plural(number, 'block')} of {block_rows} rows had been read from "
            f"{source.describe()}."
        )
        raise


def _check(block: Block, source: RowSource, number: int, start: int) -> None:
    """Check the entries of a block whose first row is row `start`."""
    x, weights, errors = block
    names = source.feature_names
    where = f"block {number} of {source.describe()}"
    check_no_infinities(x, names, where, start)
    if weights is not None:
        check_weight_entries(weights, f"sample_weight in {where}", start)
    if errors is None or ((one := len(errors) != len(x)) and number):
        return
    rounding = rounding_of(None)
    if np.array_equal(errors, errors.astype(np.float32)):
        rounding = rounding_of(_SINGLE)  # they were given in single precision
    matrices = unpacked(errors, x.shape[1])
    try:
        check_error_entries(matrices, names, one=one, rounding=rounding, first_row=start)
    except InputError as error:
        error.add_note(f"In {where}.")
        raise
