"""The fitted mixture: weights, means, standard deviations, correlations."""

import itertools

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import plural
from bayesgmm.estimator.fitted_rows import of_fitted_rows
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.bhattacharyya_distance import BARELY_DISTINGUISHABLE, bhattacharyya
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.feature_choice import separating_features
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.mixture.outlying import signs_of_outliers
from bayesgmm.plots.style import colour, dashes, marker
from bayesgmm.reporting.downloads import mixture_files
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.overlap import OVERLAP
from bayesgmm.reporting.parameter_names import correlation_name, page_names
from bayesgmm.reporting.parts import (
    Figure,
    Row,
    Section,
    Shown,
    State,
    Table,
    UnavailableError,
    decimals_for,
    estimate,
    fixed,
    numeral,
    percent,
    significant,
)
from bayesgmm.reporting.svg import MUTED, RULE, panel, panels, style, to_svg

_MOST_FEATURES = 12
_MOST_COMPONENTS = 30
_MOST_CORRELATED = 6
# Columns from which on profiles are drawn, and the most in them.
_PROFILED, _MOST_PROFILED = 5, 40


def mixture_section(inputs: Inputs) -> Section:
    """Parameters of the fitted mixture, and separation of its components."""
    if inputs.em is None:
        raise UnavailableError("no EM fit was given")
    fit, mixture = inputs.em, inputs.mixture
    features = shown_features(inputs)
    state, sentences, numbers = _judge(inputs, fit)
    tables = _tables(inputs, mixture, features)
    notes = []
    left_out = inputs.n_features - len(features)
    if left_out:
        notes.append(
            f"Shown are the {len(features)} columns in which the components differ most relative "
            f"to their standard deviations. Not shown: {plural(left_out, 'more column')}."
        )
    reason = " ".join(sentences[1:]) or sentences[0]
    return Section(
        state,
        " ".join(sentences),
        (_figure(inputs, mixture, features),),
        tables,
        notes,
        numbers,
        downloads=mixture_files(
            mixture, page_names(inputs, mixture), inputs.noise, inputs.contamination
        ),
        reason=reason,
    )


def shown_features(inputs: Inputs, most: int = _MOST_FEATURES) -> list[int]:
    """Return the columns, at most `most`, that separate the components best, in order."""
    return separating_features(inputs.mixture, most)


def _judge(inputs: Inputs, fit: GaussianMixture) -> tuple[State, list[str], dict[str, object]]:
    mixture, structure = fit.mixture_, as_structure(fit.covariance_type)
    k, d = mixture.n_components, mixture.n_features
    words = structure.words if d > 1 else "one variance each" if k > 1 else "one variance"
    criteria = inputs.criteria
    # The digits of the fit's own, where it is that of these rows.
    same = of_fitted_rows(fit, criteria)
    value = fit.log_likelihood_ if same else criteria.log_likelihood
    nearness = bhattacharyya(mixture)
    sizes = (1.0 - inputs.noise_weight) * mixture.weights * fit.n_rows_
    beside = ", and uniform noise" * (inputs.noise is not None)
    beside += ", each with outliers" * (inputs.contamination is not None)
    state, doubts = _doubts(inputs, nearness, sizes)
    if inputs.noise is None and fit.contamination_ is None:
        outlying = signs_of_outliers(mixture, inputs.observed)
        state = "care" if outlying and state == "good" else state
        doubts += outlying
    sentences = [
        f"{numeral(k).capitalize()} {'component' if k == 1 else 'components'}, "
        f"{structure.code} ({words}){beside}: log-likelihood {fixed(value, 4).text} nats "
        f"with {plural(fit.n_parameters_, 'free parameter')}, BIC {fixed(criteria.bic, 2).text}, "
        f"ICL {fixed(criteria.icl, 2).text} (smaller is better).",
        *_of_noise(inputs),
        *_of_outliers(inputs),
        *doubts,
    ]
    numbers = {
        "covariance_type": structure.name,
        "covariance_code": structure.code,
        "log_likelihood": value,
        "n_parameters": fit.n_parameters_,
        "bic": criteria.bic,
        "aic": criteria.aic,
        "icl": criteria.icl,
        "bhattacharyya": nearness,
        "effective_sizes": sizes,
    }
    if inputs.noise is not None:
        numbers["noise_weight"] = inputs.noise_weight
    if inputs.contamination is not None:
        numbers["outlier_proportions"] = inputs.contamination.proportions
        numbers["inflation"] = inputs.contamination.inflation
    return state, sentences, numbers


def _of_noise(inputs: Inputs) -> list[str]:
    """A sentence on the noise, if there is any."""
    if inputs.noise is None:
        return []
    outlying = int((inputs.assigned[0] < 0).sum())
    return [
        f"Noise, uniform over the range of each column, has a weight of "
        f"{percent(inputs.noise_weight, 1).text}: {plural(outlying, 'row')} "
        f"{'is' if outlying == 1 else 'are'} more probably noise than of any component. "
        "Weights of components are those among the rows that are not noise."
    ]


def _of_outliers(inputs: Inputs) -> list[str]:
    """A sentence on the outliers of the components, if there are any."""
    if inputs.contamination is None:
        return []
    outlying = int((inputs.outlying > 0.5).sum())
    share = float(inputs.mixture.weights @ inputs.contamination.proportions)
    return [
        f"Outliers have the mean of their component and a multiple of its covariance; their "
        f"expected proportion is {percent(share, 1).text}: {plural(outlying, 'row')} "
        f"{'is' if outlying == 1 else 'are'} more probably an outlier than not. Standard "
        "deviations and correlations are those of the other rows."
    ]


def _outlier_table(inputs: Inputs, outliers: Contamination) -> Table:
    """Proportions of outliers in the components, and their inflation."""
    errors = inputs.standard_errors[0]
    extras = {} if errors is None else errors.extras
    chosen = range(min(inputs.mixture.n_components, _MOST_COMPONENTS))

    def cells(name: str, values: Array) -> tuple[Shown, ...]:
        return tuple(
            estimate(*extras.get(f"{name}[{k}]", (float(values[k]), None))) for k in chosen
        )

    rows: list[Row] = [
        ("proportion of outliers", *cells("outliers", outliers.proportions)),
        ("inflation", *cells("inflation", outliers.inflation)),
    ]
    note = "Inflation: the covariance of outliers in units of that of the component's other rows."
    return Table("Outliers", ("", *map(inputs.named, chosen)), rows, note)


def _noise_table(inputs: Inputs, noise: Noise) -> Table:
    """Weight of the noise, and the rows that it is expected to have."""
    errors = inputs.standard_errors[0]
    unknown = "weight[noise]", (noise.weight, None)
    rows: list[Row] = [
        ("weight", estimate(*({} if errors is None else errors.extras).get(*unknown))),
        ("expected rows", fixed(float(inputs.outlying.sum()), 1)),
    ]
    note = "Noise is uniform over the box of the smallest and largest values of the fitted rows."
    return Table("Noise", ("", "noise"), rows, note)


def _doubts(inputs: Inputs, nearness: Array, sizes: Array) -> tuple[State, list[str]]:
    """Sentences on components that are close to one another, or small."""
    state: State = "good"
    sentences = []
    k, words, n_features = len(sizes), inputs.component_words, inputs.n_features
    pairs = sorted(itertools.combinations(range(k), 2), key=lambda pair: -nearness[pair])
    close = [pair for pair in pairs if nearness[pair] > BARELY_DISTINGUISHABLE]
    if pairs:
        i, j = pairs[0]
        sentences.append(
            f"The closest components, {words[i]} and {words[j]}, have a Bhattacharyya coefficient "
            f"of {fixed(nearness[i, j], 2).text} (0: disjoint, 1: identical)."
        )
    if pairs and nearness[pairs[0]] > OVERLAP:
        state = "care"
        if not close:
            sentences.append("They overlap, so many rows between them belong to either.")
    if close:
        sentences.append(
            "Barely distinguishable components: "
            + ", ".join(f"{words[i]} and {words[j]}" for i, j in close[:5])
            + (" and others" if len(close) > 5 else "")
            + ". One of each pair may be superfluous."
        )
    smallest = int(sizes.argmin())
    if sizes[smallest] < 10 * (n_features + 1):
        state = "bad" if sizes[smallest] < n_features + 1 else "care"
        sentences.append(
            f"Component {words[smallest]} has an effective size of only "
            f"{significant(sizes[smallest], 3).text} rows, few for "
            f"{plural(n_features, 'column')}."
        )
    return state, sentences


def _tables(inputs: Inputs, mixture: Mixture, features: list[int]) -> tuple[Table, ...]:
    errors, note = inputs.standard_errors
    chosen = range(min(mixture.n_components, _MOST_COMPONENTS))
    heads = ("", *map(inputs.named, chosen))
    deviations = np.sqrt(mixture.variances)

    def cells(kind: str, values: Array, *at: int) -> tuple[Shown, ...]:
        """The entries `at` of the components' parameters of a kind, with standard errors."""
        spread = np.full_like(values, np.nan) if errors is None else getattr(errors, kind)
        return tuple(estimate(values[k, *at], spread[k, *at]) for k in chosen)

    names = inputs.labels_short
    rows: list[Row] = [("weight", *cells("weights", mixture.weights))]
    rows += [(f"mean of {names[j]}", *cells("means", mixture.means, j)) for j in features]
    rows += [
        (f"s.d. of {names[j]}", *cells("standard_deviations", deviations, j)) for j in features
    ]
    if not as_structure(inputs.em.covariance_type).diagonal:  # type: ignore[union-attr]
        scale = deviations[:, :, np.newaxis] * deviations[:, np.newaxis, :]
        correlations = mixture.covariances / scale
        rows += [
            (correlation_name(names, i, j), *cells("correlations", correlations, i, j))
            for i, j in itertools.combinations(sorted(features[:_MOST_CORRELATED]), 2)
        ]
    caption = "Parameters" if errors is None else "Parameters, with standard errors in brackets"
    tables = [Table(caption, heads, rows, note)]
    if inputs.noise is not None:
        tables.append(_noise_table(inputs, inputs.noise))
    if inputs.contamination is not None:
        return *tables, _outlier_table(inputs, inputs.contamination)
    if mixture.n_features == 1 and mixture.n_components > 1:
        tables.append(_landmarks(inputs, mixture))
    return tuple(tables)


def _landmarks(inputs: Inputs, mixture: Mixture) -> Table:
    """Boundaries, modes and antimodes of a mixture of one column, from left to right."""
    decimals = decimals_for(float(np.sqrt(mixture.variances).min()), 3)
    found = mixture.boundaries()
    places = [
        (x, "boundary", int(below), int(above))
        for x, below, above in zip(found.x, found.below, found.above, strict=True)
    ]
    modes, antimodes = mixture.modes(), mixture.antimodes()
    turns = np.concatenate((modes, antimodes))
    kinds = ["mode"] * len(modes) + ["antimode"] * len(antimodes)
    most_probable = mixture.classify(turns).tolist()
    places += zip(turns, kinds, most_probable, most_probable, strict=True)
    places.sort()
    rows = tuple(
        (kind, fixed(float(x), decimals), inputs.named(below), inputs.named(above))
        for x, kind, below, above in places[: 3 * _MOST_COMPONENTS]
    )
    left = len(places) - len(rows)
    more = f" Not shown: {plural(left, 'more point')} to the right." if left else ""
    return Table(
        "Boundaries between components, and modes of the density",
        ("", inputs.labels_short[0], "most probable below", "most probable above"),
        rows,
        "At a boundary two components are equally probable. Modes are local maxima of the density "
        "of the mixture, antimodes local minima."
        + " Noise, uniform, does not move them, and is left out of the boundaries."
        * (inputs.noise is not None)
        + more,
    )


def _figure(inputs: Inputs, mixture: Mixture, features: list[int]) -> Figure:
    return (
        _profiles(inputs, mixture)
        if mixture.n_features >= _PROFILED
        else _profile(inputs, mixture, features)
    )


def _profiles(inputs: Inputs, mixture: Mixture) -> Figure:
    """Means of the components in all columns, in standard deviations of the columns."""
    columns = sorted(shown_features(inputs, _MOST_PROFILED))
    shown = range(min(mixture.n_components, _MOST_COMPONENTS))
    spread = np.sqrt(np.diagonal(mixture.covariance()))
    means = ((mixture.means - mixture.mean()) / spread)[:, columns]
    places = np.arange(len(columns))
    with style():
        figure, axes = panel(5.8, 1.3 + 0.24 * len(columns))
        axes.axvline(0.0, color=RULE, linewidth=1.0)
        for k in shown:
            axes.plot(
                means[k], places, color=colour(k), ls=dashes(k), marker=marker(k), lw=1.2,
                markersize=5, label=inputs.named(k),
            )  # fmt: skip
        axes.set_yticks(places, [inputs.labels_short[j] for j in columns])
        axes.set(ylim=(len(columns) - 0.5, -0.5))
        axes.set_xlabel("standardised mean")
        axes.grid(axis="y", color=RULE)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        figure.legend(loc="outside lower center", ncols=min(3, len(shown)))
        left = mixture.n_features - len(columns)
        return Figure(
            to_svg(figure),
            f"Profiles of {plural(len(shown), 'component')} over {plural(len(columns), 'column')}.",
            "Profiles: means of the components in each column, a line for each component, in "
            "standard deviations of the column from its mean."
            + (f" Not shown: {plural(left, 'more column')}." if left else ""),
        )


def _profile(inputs: Inputs, mixture: Mixture, features: list[int]) -> Figure:
    """Means and standard deviations of the components in each column."""
    features, shown = features[:6], range(min(mixture.n_components, _MOST_COMPONENTS))
    names = [inputs.labels_short[j] for j in features]
    with style():
        figure, grid = panels(names, 0.9 + 0.22 * len(shown), (0.6, 0.3))
        for axes, j in zip(grid, features, strict=True):
            for i in shown:
                mean, spread = mixture.means[i, j], np.sqrt(mixture.variances[i, j])
                axes.plot(
                    [mean - spread, mean + spread], [i, i], color=colour(i), ls=dashes(i), lw=2.4
                )
                axes.plot([mean], [i], marker=marker(i), color=colour(i), markersize=5)
            axes.set_ylim(len(shown) - 0.5, -0.5)
            axes.set_yticks(shown, [inputs.component_words[i] for i in shown])
            axes.grid(axis="x", color=RULE)
            axes.tick_params(axis="y", length=0, labelcolor=MUTED)
            if axes.get_position().x0 == grid[0].get_position().x0:
                axes.set_ylabel("component")
        weights = ", ".join(
            f"{inputs.component_words[i]}: {percent(w, 0).text}"
            for i, w in enumerate(mixture.weights[:8])
        )
        return Figure(
            to_svg(figure),
            f"Mean and standard deviation of each component in {plural(len(features), 'column')}. "
            f"Weights are {weights}.",
            "Means of the components (points), plus and minus one standard deviation (lines).",
            wide=len(features) > 1,
        )
