from bayesgmm.plots.style import colour, dashes, marker, short, short_names


def test_names_are_cut_and_cleaned():
    assert short("x" * 100) == "x" * 27 + "…"
    assert short("a\x00b") == "a\N{REPLACEMENT CHARACTER}b"


def test_names_that_begin_alike_are_told_apart():
    first, second = (f"concentration_of_the_substance_number_{j}_in_micrograms" for j in (0, 1))
    assert short_names([first, "age", second]) == [
        "…e_number_0_in_micrograms",
        "age",
        "…e_number_1_in_micrograms",
    ]
    late = ["a" * 60 + end for end in ("b", "bc", "c" * 60, "c" * 59)]
    labels = short_names(late)
    assert len(set(labels)) == 4
    assert max(map(len, labels)) <= 28
    assert short_names(["x" * 40] * 2) == ["x" * 15 + "… (column 0)", "x" * 15 + "… (column 1)"]


def test_no_two_components_look_alike():
    from matplotlib.markers import MarkerStyle

    lines = {(colour(k), str(dashes(k))) for k in range(200)}
    points = {(colour(k), str(marker(k))) for k in range(200)}
    assert len(lines) == len(points) == 200
    assert all(MarkerStyle(marker(k)).is_filled() for k in range(200))
