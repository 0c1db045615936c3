import numpy as np
import pandas as pd
import pytest

import bayesgmm
from bayesgmm import GaussianMixture


@pytest.fixture(scope="session")
def faithful():
    shipped = bayesgmm.load_dataset("faithful")
    return pd.DataFrame(shipped.X, columns=list(shipped.feature_names))


@pytest.fixture(scope="session")
def faithful_em(faithful):
    return GaussianMixture(2, random_state=0).fit(faithful)


@pytest.fixture(scope="session")
def hostile():
    """A frame whose names would do harm if they were taken for anything but text."""
    names = [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(2)>',
        "</style></svg><script>alert(3)</script>",
        "=cmd|' /C calc'!A0",
        r"$\frac{1}{0$ {{ 7 * 7 }} {% raw %}",
        "a/b\x00\x1b[31m]]>&amp;",
        "☃ ünï 漢字 \u202e" + "x" * 300,
    ]
    rng = np.random.default_rng(3)
    X = rng.standard_normal((200, len(names))) + 6.0 * rng.integers(0, 2, (200, 1))
    return pd.DataFrame(X, columns=names)


@pytest.fixture(scope="session")
def hostile_title():
    return "</title><script>alert('title')</script> {{ title }}"
