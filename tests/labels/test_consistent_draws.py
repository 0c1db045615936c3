"""What is averaged over draws is refused where labels switch: it would mix components."""

import known_posteriors
import numpy as np
import pytest

from bayesgmm import plot_mixture, relabel, responsibilities
from bayesgmm.errors import InputError


@pytest.fixture(scope="module", params=["between", "within"])
def switched(request):
    return known_posteriors.make(request.param, 1, k=2, d=2, n=300).tree


@pytest.mark.parametrize("function", [responsibilities, plot_mixture])
def test_switched_labels_are_refused(switched, function):
    with pytest.raises(InputError, match=r"another labelling .* Relabel first"):
        function(switched)
    function(relabel(switched))


def test_relabelled_responsibilities_are_those_of_clear_components(switched):
    r = responsibilities(relabel(switched)).values
    assert r.max(axis=1).min() > 0.99
    np.testing.assert_allclose(r.sum(axis=1), 1.0, rtol=1e-12)
