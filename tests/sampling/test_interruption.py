"""Ctrl-C while chains are drawn: what was drawn comes back, whole draws, marked."""

import os
import signal
import threading
import warnings

import numpy as np
import nutpie
import pymc as pm
import pytest

from bayesgmm import load_dataset, sample_posterior


def interrupted(**settings):
    with warnings.catch_warnings():
        # PyMC says of its own that a run was stopped.
        warnings.filterwarnings("ignore", category=UserWarning, module="pymc")
        return sample_posterior(
            load_dataset("faithful").X, 2, tune=20, rng=0, progressbar=False, **settings
        )


def check(tree, chains, draws):
    group = tree["posterior"].to_dataset()
    assert tree.attrs["interrupted"] == 1
    assert 1 <= group.sizes["chain"] <= chains
    # PyMC gives back the chains that were finished rather than shorter ones of all, if that is
    # more draws.
    assert group.sizes["draw"] >= 1
    assert group.sizes["chain"] * group.sizes["draw"] < chains * draws
    for name in ("weights", "means", "covariances"):
        assert np.isfinite(group[name]).all()
    np.testing.assert_allclose(group["weights"].sum("component"), 1.0, rtol=1e-12)
    assert tree["sample_stats"].sizes["draw"] == group.sizes["draw"]
    assert tree["log_likelihood"].sizes["draw"] == group.sizes["draw"]


@pytest.mark.parametrize("chains", [1, 3])
def test_a_signal_while_nutpie_draws(chains, monkeypatch):
    plain = nutpie.sample

    def sample(*args, blocking=True, **kwargs):
        sampler = plain(*args, blocking=blocking, **kwargs)
        if not blocking:
            # Once chains run, and long before 500,000 draws (a minute of them) can be there.
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        return sampler

    monkeypatch.setattr(nutpie, "sample", sample)
    check(interrupted(chains=chains, draws=500_000, with_log_likelihood=True), chains, 500_000)


def test_an_interrupt_while_pymc_draws(monkeypatch):
    plain = pm.sample

    def stop(trace, draw):
        if draw.chain == 1 and not draw.tuning and draw.draw_idx >= 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(pm, "sample", lambda **given: plain(**given, callback=stop))
    settings = {"covariance_type": "diag", "with_log_likelihood": True}  # of which less is compiled
    tree = interrupted(chains=3, draws=60, nuts_sampler="pymc", **settings)
    check(tree, 3, 60)


def test_an_interrupt_before_the_first_draw_is_passed_on(monkeypatch):
    plain = nutpie.sample

    class Stopped:
        def __init__(self, sampler):
            self._sampler = sampler

        def wait(self):
            raise KeyboardInterrupt

        def abort(self):
            tree = self._sampler.wait()
            weights = tree["posterior"]["weights"]
            tree["posterior"]["weights"] = weights.where(False)
            return tree

    def sample(*args, blocking=True, **kwargs):
        sampler = plain(*args, blocking=blocking, **kwargs)
        return sampler if blocking else Stopped(sampler)

    monkeypatch.setattr(nutpie, "sample", sample)
    with pytest.raises(KeyboardInterrupt):
        interrupted(chains=1, draws=5)
