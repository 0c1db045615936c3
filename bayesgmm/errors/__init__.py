"""The package's exceptions and warnings: one tree, so that one ``except`` catches all of it.

Those that are also scikit-learn's are loaded when they are first used: its import takes a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
