"""What is said of the passes of a run while it goes on."""

import math
import time
from collections.abc import Callable
from datetime import timedelta

# Runs end after so many passes at the latest, where gains do not tell.
_MANY = 1000


class PassProgress:
    """Sentences on passes as they end: the log-likelihood, the pace, and how long it may take.

    Parameters
    ----------
    say : callable
        Told each sentence.
    n_rows : int
    target : float
        Nats left to gain at which the run ends.
    """

    def __init__(self, say: Callable[[str], None], n_rows: int, target: float) -> None:
        self._say, self._n_rows, self._target = say, n_rows, target
        self._reached: list[float] = []
        self._began = time.monotonic()

    def ended(self, log_likelihood: float, *, known: bool = False) -> None:
        """Say what is known after a pass that found a log-likelihood, nats.

        `known` is True for a pass of an earlier run, which was not made again.
        """
        now = time.monotonic()
        seconds, self._began = now - self._began, now
        self._reached.append(log_likelihood)
        words = [f"Pass {len(self._reached)}: {log_likelihood:.6f} nats"]
        if known:
            self._say(f"{words[0]}, as in the checkpoint")
            return
        if seconds > 0.0:
            pace = float(f"{self._n_rows / seconds:.2g}")
            words.append(f"{pace:,.0f} rows per second")
        left = passes_left(self._reached, self._target)
        if left is not None:
            left_time = timedelta(seconds=math.ceil(left * seconds))
            words.append(f"about {left} more, {left_time} left")
        self._say(", ".join(words))


def passes_left(reached: list[float], target: float) -> int | None:
    """Return an estimate of the passes until the gain to come is below a target; None if unknown.

    Gains are taken to fall by the factor of the last two.
    """
    if len(reached) < 3:
        return None
    first, second = reached[-2] - reached[-3], reached[-1] - reached[-2]
    if not 0.0 < second < first:
        return 1 if abs(second) <= target else None
    factor = second / first
    to_come = second * factor / (1.0 - factor)
    if to_come <= target:
        return 1
    return min(1 + math.ceil(math.log(target / to_come) / math.log(factor)), _MANY)
