"""Sizes of slow studies: those of CI, or with `BAYESGMM_STUDIES=full` those that the docs quote."""

import os

FULL = os.environ.get("BAYESGMM_STUDIES") == "full"


def size(ci, full):
    return full if FULL else ci
