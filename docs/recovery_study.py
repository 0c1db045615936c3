"""Make the tables and the picture of docs/recovery.md: `python docs/recovery_study.py`."""

from pathlib import Path

import matplotlib.pyplot as plt

from bayesgmm import RecoveryStudy, plot_recovery_study, recovery_study

HERE = Path(__file__).parent


def em() -> RecoveryStudy:
    """A thousand fits of 1,000 rows."""
    return recovery_study(3, 2, 1000, rng=1)


def both() -> RecoveryStudy:
    """EM beside the posterior, on a hundred samples of 500 rows."""
    engines = "em", "posterior"
    return recovery_study(3, 2, 500, engines=engines, n_mixtures=25, n_samples=1, rng=1)


def main() -> None:
    """Write docs/recovery.png and print the tables."""
    plt.switch_backend("agg")
    for study in (em(), both()):
        print(study.summary(), study.results["coverage_se"].max(["kind", "n_rows"]), sep="\n\n")
    plot_recovery_study(study)
    plt.gcf().savefig(HERE / "recovery.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
