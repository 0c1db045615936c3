"""The verdicts on three hundred posteriors of known kind, and false alarms on healthy ones.

``PYTHONPATH=tests/support python tests/verdicts/test_known_posteriors.py`` judges all of them,
writes known_verdicts.json and prints its sums, the table of docs/verdicts.md.
"""

import json
import sys
from collections import Counter, defaultdict

import known_posteriors as kinds
import pytest
from studies import FULL, size

from bayesgmm import label_switching

SEEDS = range(3)
# Sizes of healthy posteriors: components, features, rows, autocorrelation.
SIZES = (
    (2, 1, 300, 0.0), (3, 2, 300, 0.3), (5, 2, 500, 0.5), (4, 5, 400, 0.0), (10, 1, 1000, 0.3),
    (10, 2, 1000, 0.5), (4, 20, 600, 0.3), (2, 10, 300, 0.6), (6, 3, 600, 0.6), (3, 8, 400, -0.3),
)  # fmt: skip


def judged(seed, thin=1):
    """Verdicts by kind, the posteriors with a wrong verdict, and undeserved clean bills."""
    table, wrong, flattered = defaultdict(Counter), [], []
    for known in kinds.all_of_them([seed], thin):
        found = label_switching(known.tree)
        table[known.kind][found.verdict] += 1
        if found.verdict not in known.right:
            wrong.append((known.kind, known.options, found.verdict, found.explanation))
        healthy = known.kind in (*kinds.HEALTHY, "sampled, clear")
        if not healthy and known.kind != "sampled, overlapping" and found.state == "good":
            flattered.append((known.kind, known.options))
    return table, wrong, flattered


@pytest.mark.slow
@pytest.mark.parametrize("seed", size(ci=SEEDS[:1], full=SEEDS))
def test_all_of_a_seed(seed):
    """Those of the record; in CI half of the posteriors of each kind."""
    table, wrong, flattered = judged(seed, size(ci=2, full=1))
    total = sum(sum(each.values()) for each in table.values())
    assert total >= size(ci=50, full=100)
    assert not flattered
    assert len(wrong) <= 0.03 * total, wrong
    record = json.loads(kinds.RECORD.read_text())[seed]
    assert table.keys() == record.keys()
    for kind, verdicts in table.items():
        assert not verdicts - Counter(record[kind]), kind
    if FULL:
        assert table == record


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
    """Of 10 of the 200 in docs/verdicts.md."""
    assert alarms(range(size(ci=1, full=20))) == []


if __name__ == "__main__":
    if "healthy" in sys.argv:
        for each in alarms(range(20)):
            print(each)
    else:
        judgements = [judged(seed) for seed in SEEDS]
        kinds.RECORD.write_text(json.dumps([table for table, *_ in judgements], indent=1) + "\n")
        print(kinds.recorded_table())
        for _, wrong, flattered in judgements:
            print(*wrong, "clean:", *flattered, sep="\n")
