"""Ctrl-C in the middle of a search."""

import os
import signal

from bayesgmm.selection import grid_search


def interrupt_after(monkeypatch, n_fits):
    """Send SIGINT to this process when `n_fits` models of a grid have been fitted."""
    plain, done = grid_search._Search._improve, []

    def improve(self, key, starts):
        plain(self, key, starts)
        done.append(key)
        if len(done) == n_fits:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(grid_search._Search, "_improve", improve)
