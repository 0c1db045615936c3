"""Components of a mixture that overlap, and the groups that they form."""

from scipy.sparse.csgraph import connected_components

from bayesgmm.display import listed, plural
from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya
from bayesgmm.reporting.inputs import Inputs

# Coefficient of two equal components of which 9 % of the rows are nearer to the other one.
OVERLAP = 0.4


def overlap_sentence(inputs: Inputs) -> str:
    """What an overlap of components means for their number; "" without overlap.

    Components of known rows are given, whether they overlap or not.
    """
    mixture = inputs.mixture
    if mixture.n_components == 1 or inputs.known is not None:
        return ""
    nearness = bhattacharyya(mixture)
    joined, group = connected_components(nearness > OVERLAP, directed=False)
    if joined == mixture.n_components:
        return ""
    words = inputs.component_words
    groups = [[words[k] for k in range(len(words)) if group[k] == g] for g in range(joined)]
    overlapping = "; ".join(listed(each) for each in groups if len(each) > 1)
    return (
        f"Components that overlap ({overlapping}) may describe one group that is not normal: if "
        f"those are joined, the {plural(len(words), 'component')} are "
        f"{plural(joined, 'cluster')}. merge_components(fit, X) combines components by entropy."
    )
