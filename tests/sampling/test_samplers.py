import io
import re

import nutpie

from bayesgmm import load_dataset, sample_posterior


def test_a_terminal_shows_the_draws_after_which_the_run_may_end(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("COLUMNS", "120")
    shown = []
    plain = nutpie.sample

    def sample(*args, progress_bar, **given):
        shown.append(progress_bar)
        return plain(*args, progress_bar=progress_bar, **given)

    monkeypatch.setattr(nutpie, "sample", sample)
    X = load_dataset("faithful").X
    tree = sample_posterior(X, 2, rng=1, min_ess=5000, max_time=60)
    assert not any(shown)
    lengths = [int(each) for each in re.findall(r"Tuning, and (\d+) draws", stream.getvalue())]
    reached = tree["posterior"].sizes["draw"]
    assert sorted({*lengths}) == [1000 * 2**i for i in range(6) if 1000 * 2**i <= reached]
    assert reached > 1000
    assert " left" in stream.getvalue()
