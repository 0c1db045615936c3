"""Methods, settings and versions, and code that reproduces the page."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from bayesgmm.priors.documents import family_to_dict
from bayesgmm.priors.families import InverseGamma, InverseWishart
from bayesgmm.priors.outlier_priors import OutlierPriors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.reporting.downloads import priors_file
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.paper import for_a_paper, held_sentences
from bayesgmm.reporting.parts import Row, Section, Table
from bayesgmm.reporting.python_code import python_code
from bayesgmm.reporting.settings_table import settings_rows

_PACKAGES = ("bayesgmm", "numpy", "scipy", "scikit-learn", "pymc", "nutpie", "arviz")
_NOISE = (
    "Noise: Banfield & Raftery (1993), Biometrics 49, 803-821; Fraley & Raftery (2002), J. Am. "
    "Stat. Assoc. 97, 611-631."
)
_OUTLIERS = "Outliers: Punzo & McNicholas (2016), Biometrical Journal 58, 1506-1537."
_CITATIONS = {
    "em": (
        "EM: Dempster, Laird & Rubin (1977), J. R. Stat. Soc. B 39, 1-38. Anderson acceleration: "
        "Walker & Ni (2011), SIAM J. Numer. Anal. 49, 1715-1735, doi:10.1137/10078356X.",
        "Covariance structures: Banfield & Raftery (1993), Biometrics 49, 803-821; Celeux & "
        "Govaert (1995), Pattern Recognition 28, 781-793.",
        "BIC: Schwarz (1978), Ann. Stat. 6, 461-464. ICL: Biernacki, Celeux & Govaert (2000), "
        "IEEE PAMI 22, 719-725.",
        "Adjusted Rand index: Hubert & Arabie (1985), J. Classification 2, 193-218.",
        "Predictive checks: Gelman, Meng & Stern (1996), Statistica Sinica 6, 733-807.",
    ),
    "nuts": (
        "NUTS: Hoffman & Gelman (2014), J. Mach. Learn. Res. 15, 1593-1623. PyMC: Abril-Pla et al. "
        "(2023), PeerJ Comput. Sci. 9, e1516, doi:10.7717/peerj-cs.1516.",
    ),
    "laplace": (
        "Independence chains: Tierney (1994), Ann. Stat. 22, 1701-1728. Laplace's approximation: "
        "Tierney & Kadane (1986), J. Am. Stat. Assoc. 81, 82-86. Pareto k-hat: Vehtari et al. "
        "(2024), J. Mach. Learn. Res. 25(72), 1-58.",
    ),
    "posterior": (
        "R-hat and ESS: Vehtari et al. (2021), Bayesian Analysis 16, 667-718, "
        "doi:10.1214/20-BA1221. ArviZ: Martin et al. (2026), J. Open Source Softw.",
        "Label switching: Stephens (2000), J. R. Stat. Soc. B 62, 795-809; Papastamoulis & "
        "Iliopoulos (2010), J. Comput. Graph. Stat. 19, 313-331.",
    ),
}


def methods_section(inputs: Inputs) -> Section:
    """Methods, settings and references."""
    sentences: list[str] = []
    citations: list[str] = []
    if inputs.em is not None:
        estimate = "was fitted by maximum likelihood, using"
        if inputs.em.priors is not None:
            estimate = "is the posterior mode under the given priors, computed by"
        sentences.append(f"The mixture {estimate} accelerated EM from several starts.")
        if inputs.noise is not None:
            sentences.append("Rows far from all components belong to a component of uniform noise.")
            citations.append(_NOISE)
        if inputs.contamination is not None:
            sentences.append("Each component has outliers: the same mean, a broader covariance.")
            citations.append(_OUTLIERS)
        sentences += held_sentences(inputs.em)
        citations += _CITATIONS["em"]
    if inputs.posterior is not None:
        sampler = inputs.posterior.attrs.get("sampler")
        sentences.append(_of_sampler(sampler))
        citations += _CITATIONS["laplace" if sampler == "laplace" else "nuts"]
        citations += _CITATIONS["posterior"]
    if not sentences:
        sentences.append("No model was fitted.")
    versions = [("Python", platform.python_version()), *((p, _version(p)) for p in _PACKAGES)]
    tables = [Table("Versions", ("package", "version"), versions)]
    priors = inputs.priors.items()
    tables = [*(_priors(inputs, of, each) for of, each in priors), *tables]
    if rows := settings_rows(inputs):
        tables.insert(0, Table("Settings", ("setting", "value"), rows))
    listings = [("Python code for this page", python_code(inputs))]
    if inputs.em is not None or inputs.posterior is not None:
        listings.insert(0, ("For a paper", for_a_paper(inputs)))
    if inputs.command:
        listings.insert(0, ("Command line for this page", inputs.command))
    return Section(
        None,
        " ".join(sentences),
        (),
        tables,
        citations,
        {"command": inputs.command},
        listings,
        [priors_file(of, each) for of, each in priors],
    )


# What the numbers of a family mean.
_MEANS: dict[type, str] = {
    InverseWishart: (
        " A covariance with an inverse Wishart prior has the mean "
        "scale / (degrees of freedom - D - 1);"
        " a scale with a Wishart prior has the mean degrees of freedom x scale."
    ),
    InverseGamma: (
        " A variance with an inverse gamma prior has the mean scale / (shape - 1); a scale with a "
        "gamma prior has the mean shape / rate."
    ),
}


def _priors(inputs: Inputs, of: str, priors: ResolvedPriors) -> Table:
    """Priors in the units of the data, one row for each number or row of numbers."""
    names = inputs.labels_short
    rows: list[Row] = [("weights", f"Dirichlet({_numbers(priors.concentration)})")]
    location, sd = np.array(priors.mean_location), np.array(priors.mean_sd)
    for j, name in enumerate(names):
        place, spread = _numbers(location[..., j]), _numbers(sd[..., j])
        rows.append((f"mean of {name}", f"normal, location {place}, standard deviation {spread}"))
    rows += _flattened("covariances", family_to_dict(priors.covariances))
    if priors.ordered is not None:
        components = list(priors.ordered_components)
        words = f"means of {names[priors.ordered]} ascending in components {components}"
        rows.append(("order", words))
    if of != "EM" and inputs.posterior is not None:
        rows += _of_outliers(inputs)
    note = (
        f"In the units of the data, to four digits; columns in the order {', '.join(names)}. "
        f"{priors_file(of, priors).name} has all digits."
    )
    note += _MEANS.get(type(priors.covariances), "")
    return Table(f"Priors of {of}" if of else "Priors", ("", "prior"), rows, note)


def _of_outliers(inputs: Inputs) -> list[Row]:
    """The priors of noise and outliers in a posterior."""
    beside, found = OutlierPriors(), list[Row]()
    first, second = (f"{each:g}" for each in beside.share)
    if inputs.draws.noise is not None:
        concentration = f"{beside.noise_concentration:g}"
        found.append(
            ("noise", f"weight: Dirichlet with the others', concentration {concentration}")
        )
    if inputs.draws.outliers is not None:
        found.append(("proportion of outliers", f"twice of it: beta({first}, {second})"))
        found.append(("inflation", f"its logarithm: half-normal, scale {beside.spread:g}"))
    return found


def _flattened(name: str, fields: Mapping[str, Any]) -> Iterator[Row]:
    """A family's name and its parameters, and those of the family of its scale."""
    yield name, str(fields["family"])
    for key, value in fields.items():
        word = "degrees of freedom" if key == "df" else key.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flattened(f"{name}: {word}", value)
        elif key != "family":
            yield f"{name}: {word}", _numbers(value)


def _numbers(values: Any) -> str:
    """Numbers to four digits; a diagonal matrix by its diagonal."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and len(array) == array.shape[1]:
        diagonal = np.diagonal(array)
        if np.array_equal(array, np.diag(diagonal)):
            return f"diagonal {_numbers(diagonal)}" if len(diagonal) > 1 else _numbers(diagonal)
    if array.ndim > 1:
        return "; ".join(_numbers(each) for each in array)
    return ", ".join(f"{each:.4g}" for each in np.atleast_1d(array))


def _of_sampler(name: str | None) -> str:
    """A sentence on how the draws were made."""
    if name is None:
        return "The posterior was given without a record of its sampler."
    if name == "laplace":
        return (
            "The posterior was sampled by independence Metropolis chains with proposals from the "
            "normal approximation at its mode (Laplace's method), with allocations integrated out."
        )
    return "The posterior was sampled by NUTS, with allocations integrated out."


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
