"""How many passes are left, by the gains of those that were made."""

import pytest

from bayesgmm.em.pass_progress import PassProgress, passes_left


def gains(*each):
    reached = [-1000.0]
    for gain in each:
        reached.append(reached[-1] + gain)
    return reached


@pytest.mark.parametrize(
    ("reached", "left"),
    [
        (gains(), None),
        (gains(5.0), None),
        # Gains fall tenfold: after 1e-3 those to come are 1.1e-4, 1.1e-5, ..., 1.1e-8, 1.1e-9.
        (gains(1e-2, 1e-3), 6),
        (gains(1e-7, 1e-8), 1),
        # They grow, or a step was taken back: nothing is known.
        (gains(1.0, 2.0), None),
        (gains(1.0, -2.0), None),
        (gains(1.0, 0.0), 1),
        (gains(1.0, 1.0 - 1e-9), 1000),
    ],
)
def test_passes_left(reached, left):
    assert passes_left(reached, 1e-8) == left


def test_sentences():
    said = []
    progress = PassProgress(said.append, 1_000_000, 1e-8)
    for value in gains(1e-2, 1e-3):
        progress.ended(value)
    assert said[0].startswith("Pass 1: -1000.000000 nats")
    assert "rows per second" in said[0]
    assert "more" not in said[1]
    assert "about 6 more, 0:00:0" in said[2]
