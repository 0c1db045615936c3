from bayesgmm.plots.style import colour, dashes, marker, short


def test_names_are_cut_and_cleaned():
    assert short("x" * 100) == "x" * 27 + "…"
    assert short("a\x00b") == "a\N{REPLACEMENT CHARACTER}b"


def test_no_two_components_look_alike():
    from matplotlib.markers import MarkerStyle

    lines = {(colour(k), str(dashes(k))) for k in range(200)}
    points = {(colour(k), str(marker(k))) for k in range(200)}
    assert len(lines) == len(points) == 200
    assert all(MarkerStyle(marker(k)).is_filled() for k in range(200))
