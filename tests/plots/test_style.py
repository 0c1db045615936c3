from bayesgmm.plots.style import short


def test_names_are_cut_and_cleaned():
    assert short("x" * 100) == "x" * 27 + "…"
    assert short("a\x00b") == "a\N{REPLACEMENT CHARACTER}b"
