"""Types of arrays in annotations; docstrings give the shapes."""

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Indices = NDArray[np.intp]
type Booleans = NDArray[np.bool_]
