"""Puts this folder on the path, as pytest does for every conftest: for `problems`."""
