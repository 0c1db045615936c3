"""Finite Gaussian mixtures: maximum likelihood by EM and posterior sampling on one kernel.

::

    rows of data ─┐
                  ├─ e_step ─► Statistics ─(+)─► Statistics ─┬─ m_step ─► Mixture      (EM)
    Mixture ──────┘                                          └─ score ──► gradient     (NUTS)

One pass over the data gives the log-likelihood and the expected sufficient statistics, which are
additive over rows. The M-step of every covariance structure and the gradient of the log-likelihood
are functions of these statistics alone.

The public names, listed in ``__init__.pyi``, are loaded when they are first used, so that
``import bayesgmm`` itself is fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
