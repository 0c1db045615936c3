"""Maximum likelihood by EM: the loop, several starts, and the choice among their maxima."""
