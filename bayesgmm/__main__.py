"""``python -m bayesgmm``: the command line."""

from bayesgmm.cli import main

main(prog_name="python -m bayesgmm")
