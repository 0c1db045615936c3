"""Sums over blocks of rows, by one thread, by several, or by the workers of a Dask cluster.

Every executor adds the blocks' vectors in the same binary tree, so that a sum has the same bits
whoever forms it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
