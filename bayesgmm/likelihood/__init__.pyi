from .em_steps import e_step as e_step
from .em_steps import m_step as m_step
from .gradient import Score as Score
from .gradient import score as score
from .statistics import Statistics as Statistics

__all__ = ["Score", "Statistics", "e_step", "m_step", "score"]
