"""What all sources have that choose among columns."""

from dataclasses import dataclass

from bayesgmm.data.coercion import Names
from bayesgmm.sources.column_choice import ColumnChoice
from bayesgmm.sources.companions import Companions


@dataclass(frozen=True, eq=False, repr=False)
class ChosenRows:
    """Rows of chosen columns, with what comes along.

    Attributes
    ----------
    n_rows : int
    choice : ColumnChoice
    along : Companions
    """

    n_rows: int
    choice: ColumnChoice
    along: Companions

    @property
    def n_features(self) -> int:
        """The number of features."""
        return len(self.choice.features)

    @property
    def feature_names(self) -> Names:
        """Their names, if they have any."""
        return self.choice.feature_names
