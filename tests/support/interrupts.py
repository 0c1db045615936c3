"""Ctrl-C at a known place of a search."""

import os
import signal
import time

from bayesgmm.selection import grid_search


def interrupt_after(monkeypatch, n_fits):
    """Send SIGINT to this process when `n_fits` models of a grid have been fitted.

    No further model of this search is fitted before the main thread has noticed. Later searches,
    of the page that is made of what was found, are not interrupted.
    """
    plain, done, sent = grid_search._Search._improve, [], []

    def improve(self, key, starts):
        plain(self, key, starts)
        if sent and self is not sent[0]:
            return
        done.append(key)
        if len(done) == n_fits:
            sent.append(self)
            os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 60.0
        while len(done) >= n_fits and not self.stopped:
            assert time.monotonic() < deadline, "Ctrl-C was not noticed."
            time.sleep(0.01)

    monkeypatch.setattr(grid_search._Search, "_improve", improve)
