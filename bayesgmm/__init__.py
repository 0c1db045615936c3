"""Finite Gaussian mixtures: exact maximum likelihood on one kernel that everything shares.

::

    rows of data ─┐
                  ├─ e_step ─► Statistics ─(+)─► Statistics ─┬─ m_step ─► Mixture      (EM)
    Mixture ──────┘                                          └─ score ──► gradient     (NUTS)

One pass over the data gives the log-likelihood and the expected sufficient statistics. Statistics
add, so threads, files and clusters are ways to write a sum. The M-step of every covariance
structure is a function of the statistics alone, and so is the gradient of the log-likelihood.

The public names, listed in ``__init__.pyi``, are loaded when they are first used:
``import bayesgmm`` itself imports nothing that takes time.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
