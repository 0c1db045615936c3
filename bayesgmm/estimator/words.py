"""Words that the estimator takes, in a fixed order for messages."""

from collections.abc import Callable
from typing import Literal

from sklearn.utils._param_validation import StrOptions

# Literals are for editors: a program may pass any string, which is checked.
type Start = Literal["kmeans", "k-means++", "random", "random_from_data"] | str
type Order = Literal["means", "weights", "variances"] | str
type Missing = Literal["at random", "raise"] | str
type ErrorMethod = Literal["information", "sandwich", "bootstrap", "weighted-bootstrap"]
type Picture = Literal["density", "classification", "uncertainty", "selection"]


class Words(StrOptions):
    """scikit-learn's constraint to some words, whose message keeps their order.

    `canonical` gives the form of a word in which it is compared with them.
    """

    def __init__(self, *words: str, canonical: Callable[[str], str] = str) -> None:
        super().__init__(set(words))
        self._words, self._canonical = words, canonical

    def is_satisfied_by(self, val: object) -> bool:
        """Return True for one of the words."""
        return isinstance(val, str) and self._canonical(val) in self.options

    def __str__(self) -> str:
        return f"one of {', '.join(map(repr, self._words))}"
