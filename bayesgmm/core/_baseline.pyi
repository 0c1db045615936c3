# The functions of the compiled core, one form for all instruction sets; binding.cpp has them.
from collections.abc import Callable

import numpy
from numpy.typing import NDArray

type Array = NDArray[numpy.float64]
type Labels = NDArray[numpy.int64]
type Booleans = NDArray[numpy.bool_]
type Known = tuple[Labels, Labels, Array] | None
type Letters = tuple[int, int, int]
type Prior = tuple[Array, Array, Array, int, int, int, Array, Array, Array]
type Held = tuple[Booleans, Booleans, Booleans]
type Model = tuple[Letters, Array | None, Prior | None, Held | None, bool, float]
type StopRule = tuple[float, float, int, float, int, bool]
type EMResult = tuple[Array, Array, Array, int, float, int, int]

def instruction_set() -> str: ...
def best_instruction_set() -> str: ...

CHUNK: int

def exp_nonpositive(x: Array) -> Array: ...
def log_positive(x: Array) -> Array: ...
def e_step(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    weights: Array,
    means: Array,
    covariances: Array,
    threads: int,
    finished: bool,
) -> tuple[int, Array]: ...
def run_em(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    model: Model,
    weights: Array,
    means: Array,
    covariances: Array,
    rule: StopRule,
    metric: Array | None,
    threads: int,
) -> EMResult: ...
def first_better(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    model: Model,
    weights: Array,
    means: Array,
    covariances: Array,
    rule: StopRule,
    threads: int,
    better: float,
    first: int,
    seconds: float,
) -> tuple[int, bool, EMResult, int]: ...
def run_em_over(
    sums_of: Callable[[Array], Array],
    finished: bool,
    has_noise: bool,
    model: Model,
    weights: Array,
    means: Array,
    covariances: Array,
    rule: StopRule,
    metric: Array | None,
) -> EMResult: ...
def em_image(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    model: Model,
    weights: Array,
    means: Array,
    covariances: Array,
    threads: int,
) -> Array | None: ...
def births(
    x: Array,
    row_weights: Array,
    letters: tuple[int, int, int],
    weights: Array,
    means: Array,
    covariances: Array,
    uniforms: Array,
    least: float,
) -> tuple[Array, Array, Array, Array]: ...
def splits(
    x: Array,
    row_weights: Array,
    letters: tuple[int, int, int],
    weights: Array,
    means: Array,
    covariances: Array,
    uniforms: Array,
    least: float,
) -> tuple[Array, Array, Array, Array]: ...
def exchanges(
    x: Array,
    row_weights: Array,
    weights: Array,
    means: Array,
    covariances: Array,
    born_weights: Array,
    born_means: Array,
    born_covariances: Array,
) -> Array: ...
def moments(
    centres: Array, counts: Array, firsts: Array, seconds: Array
) -> tuple[Array, Array]: ...
def relative_variances(weights: Array, means: Array, covariances: Array) -> Array: ...
def maximise_covariances(
    letters: tuple[int, int, int], counts: Array, scatters: Array, near: Array | None, effort: int
) -> tuple[Labels, Array]: ...
def memberships(
    x: Array,
    shift: Array,
    errors: Array | None,
    constants: Array,
    means: Array,
    factors: Array,
    densities_alone: bool,
) -> tuple[Array, Array]: ...
def drawn_tables(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    draws: tuple[Array, Array, Array, bool],
    hard: bool,
    threads: int,
    q: Array,
) -> tuple[int, Array, Array]: ...
def drawn_average(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    draws: tuple[Array, Array, Array, bool],
    hard: bool,
    threads: int,
    permutations: Labels,
) -> tuple[int, Array]: ...
def drawn_densities(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    draws: tuple[Array, Array, Array, bool],
    densities_alone: bool,
    threads: int,
) -> tuple[int, Array, Array]: ...
def drawn_allocations(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    draws: tuple[Array, Array, Array, bool],
    hard: bool,
    threads: int,
    seed: int,
) -> tuple[int, Labels]: ...
def tally(allocations: Labels, q: Array, n_components: int) -> Array: ...
def tally_permuted(allocations: Labels, labels: Labels) -> Array: ...
def information_sums(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    weights: Array,
    means: Array,
    covariances: Array,
) -> tuple[int, Array]: ...
def log_sums_of_permanents(logs: Array) -> Array: ...
def log_likelihood(
    kind: int,
    weights: Array,
    means: Array,
    matrices: Array,
    x: Array,
    errors: Array,
    row_weights: Array,
) -> tuple[float, Array]: ...
def log_densities(
    kind: int, weights: Array, means: Array, matrices: Array, x: Array, errors: Array
) -> Array: ...
def problem(
    x: Array,
    row_weights: Array | None,
    shift: Array,
    scale: Array,
    errors: Array | None,
    known: Known,
    prior: tuple[Array, Array, Array, int, int, int, Array, Array, Array],
    sharing: tuple[bool, bool, bool, bool, Array],
    outliers: tuple[bool, bool, float, float, float, float],
    frame: Array,
    frame_inverse: Array,
    free: tuple[Array, Array, Array],
    constant: float,
) -> Labels: ...
def log_density(problem: Labels, u: Array) -> tuple[float, Array]: ...
def expand(problem: Labels, u: Array) -> Array: ...
def addresses() -> dict[str, int]: ...
def k_means(rows: Array, row_weights: Array, uniforms: Array, max_iterations: int) -> Labels: ...
def nearest_of(rows: Array, chosen: Labels) -> Labels: ...
def whiten_near_pairs(rows: Array, differences: Array, rounds: int) -> Array: ...
def partition_moments(
    rows: Array, row_weights: Array, labels: Labels, n_components: int
) -> tuple[Array, Array, Array]: ...
def partition_start(
    rows: Array, row_weights: Array, labels: Labels, n_components: int, diagonal: bool
) -> tuple[bool, Array, Array, Array]: ...
def merge_groups(
    means: Array, counts: Array, criterion: int, stand_in: float
) -> tuple[Labels, Array]: ...
def assign_all(costs: Array) -> tuple[Labels, Array, Array]: ...
def search_partition(
    allocations: Labels, n_clusters: int, h: Array, start: Labels, attempts: int, seed: int
) -> Labels: ...
