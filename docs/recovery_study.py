"""Write the tables and the picture of docs/recovery.md: `python docs/recovery_study.py`."""

from pathlib import Path

import matplotlib.pyplot as plt

from bayesgmm import RecoveryStudy, plot_recovery_study, recovery_study

HERE = Path(__file__).parent
_START, _END = "<!-- results -->", "<!-- end of results -->"
_HEADS = (
    "overlap", "engine", "least error rate", "excess", "missed", "not converged",
    "coverage: weights", "means", "s.d.", "correlations", "RMSE of means",
)  # fmt: skip


def em() -> RecoveryStudy:
    """A thousand fits of 1,000 rows."""
    return recovery_study(3, 2, 1000, rng=1)


def both() -> RecoveryStudy:
    """EM beside the posterior, on a hundred samples of 500 rows."""
    engines = "em", "posterior"
    return recovery_study(3, 2, 500, engines=engines, n_mixtures=25, n_samples=1, rng=1)


def table(study: RecoveryStudy) -> str:
    """Rates in per cent, with Monte Carlo standard errors in brackets."""
    results = study.results.squeeze(["n_components", "covariance_type", "n_rows"])
    lines = [f"| {' | '.join(_HEADS)} |", "|---" * len(_HEADS) + "|"]
    for overlap in results["overlap"].values:
        for engine in results["engine"].values:
            cell = results.sel(overlap=overlap, engine=engine)

            def rate(name, cell=cell, **at):
                value, error = (float(cell[each].sel(at)) for each in (name, f"{name}_se"))
                return f"{100 * value:.1f} ({100 * error:.1f})"

            failed = cell.assign(converged=1.0 - cell["converged"])
            of_means = cell.sel(kind="mean")
            parts = [
                f"{overlap}",
                {"em": "EM"}.get(engine, engine),
                rate("least_error_rate"),
                rate("excess_error_rate"),
                rate("missed") if engine == "em" else "",
                rate("converged", failed),
                *(rate("coverage", kind=kind) for kind in cell["kind"].values),
                f"{float(of_means['rmse']):.3f} ({float(of_means['rmse_se']):.3f})",
            ]
            lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def write(*studies: RecoveryStudy) -> None:
    """Write docs/recovery.png, of the last study, and the tables between their marks."""
    page = HERE / "recovery.md"
    first, *rest = page.read_text("utf-8").split(_START)
    for study, part in zip(studies, rest, strict=True):
        first += f"{_START}\n\n{table(study)}\n\n{part[part.index(_END) :]}"
    page.write_text(first, "utf-8")
    plt.switch_backend("agg")
    plot_recovery_study(studies[-1])
    plt.gcf().savefig(HERE / "recovery.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    write(em(), both())
