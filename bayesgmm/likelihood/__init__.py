"""The likelihood of rows under a mixture: one pass, its statistics, M-step and gradient.

`e_step` gives the expected sufficient statistics, which add; `m_step` makes a mixture of them;
`score` the gradient of the log-likelihood.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
