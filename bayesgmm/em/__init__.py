"""Maximum likelihood by EM: the loop, multiple starts, and the choice among their maxima."""
