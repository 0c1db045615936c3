"""The verdicts on three hundred posteriors of known kind, and false alarms on healthy ones.

``python tests/verdicts/test_known_posteriors.py`` runs all and prints the table of
docs/verdicts.md.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

import known_posteriors as kinds
import pytest

from bayesgmm import label_switching

PAGE = Path(__file__).parents[2] / "docs" / "verdicts.md"
SEEDS = range(3)
# Sizes of healthy posteriors: components, features, rows, autocorrelation.
SIZES = (
    (2, 1, 300, 0.0), (3, 2, 300, 0.3), (5, 2, 500, 0.5), (4, 5, 400, 0.0), (10, 1, 1000, 0.3),
    (10, 2, 1000, 0.5), (4, 20, 600, 0.3), (2, 10, 300, 0.6), (6, 3, 600, 0.6), (3, 8, 400, -0.3),
)  # fmt: skip


def judged(seeds, cases=kinds.CASES):
    """Verdicts by kind, the posteriors with a wrong verdict, and undeserved clean bills."""
    table, wrong, flattered = defaultdict(Counter), [], []
    for known in kinds.all_of_them(seeds, cases):
        found = label_switching(known.tree)
        table[known.kind][found.verdict] += 1
        if found.verdict not in known.right:
            wrong.append((known.kind, known.options, found.verdict, found.explanation))
        healthy = known.kind in (*kinds.HEALTHY, "sampled, clear")
        if not healthy and known.kind != "sampled, overlapping" and found.state == "good":
            flattered.append((known.kind, known.options))
    return table, wrong, flattered


def as_text(table):
    lines = ["| kind | posteriors | verdicts |", "|---|---|---|"]
    for kind, counts in table.items():
        verdicts = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"| {kind} | {sum(counts.values())} | {verdicts} |")
    return "\n".join(lines)


def test_some_of_every_kind():
    table, wrong, flattered = judged(range(1), kinds.CASES[::2])
    assert not flattered
    assert len(wrong) <= 0.03 * sum(sum(each.values()) for each in table.values()), wrong


@pytest.mark.slow
def test_all_and_the_table_of_the_docs():
    table, wrong, flattered = judged(SEEDS)
    total = sum(sum(each.values()) for each in table.values())
    assert total >= 300
    assert not flattered
    assert len(wrong) <= 0.03 * total, wrong
    assert as_text(table) in PAGE.read_text()


def alarms(seeds):
    """Healthy posteriors with another verdict than the labels', or less than a clean bill."""
    found = []
    for seed in seeds:
        for k, d, n, correlation in SIZES:
            kind = ("none", "between")[seed % 2]
            known = kinds.make(kind, seed, k=k, d=d, n=n, correlation=correlation)
            result = label_switching(known.tree)
            if result.verdict not in known.right or result.state != "good":
                found.append((known.options, result.verdict, result.explanation))
    return found


@pytest.mark.slow
def test_healthy_posteriors_raise_no_alarm():
    """Of 30; docs/verdicts.md has the count of 200."""
    assert len(alarms(range(3))) <= 1


if __name__ == "__main__":
    if "healthy" in sys.argv:
        for each in alarms(range(20)):
            print(each)
    else:
        made, mistakes, clean = judged(SEEDS)
        print(as_text(made), *mistakes, "clean:", *clean, sep="\n")
