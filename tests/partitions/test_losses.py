"""Losses from contingency tables against their definitions."""

import numpy as np
import pytest
from plain_partitions import binder, variation_of_information

from bayesgmm.errors import InvalidParameterError
from bayesgmm.likelihood.responsibilities_of_draws import tally
from bayesgmm.partitions.losses import loss_of


@pytest.mark.parametrize(("word", "plain"), [("vi", variation_of_information), ("binder", binder)])
def test_losses_are_those_of_their_definitions(word, plain):
    rng = np.random.default_rng(0)
    draws, labels = rng.integers(4, size=(30, 17)), rng.integers(3, size=17)
    found = loss_of(word, 17).between(tally(draws, np.eye(3)[labels], 4))
    np.testing.assert_allclose(found, [plain(labels, each) for each in draws], atol=1e-12)


def test_the_largest_variation_of_information_is_log2_n():
    one, all_apart = np.zeros((1, 16), dtype=np.int64), np.eye(16)
    assert loss_of("vi", 16).between(tally(one, all_apart, 1)) == pytest.approx(4.0, abs=1e-12)


def test_an_unknown_loss_is_refused():
    with pytest.raises(InvalidParameterError, match="'vi', 'binder'"):
        loss_of("rand", 5)
