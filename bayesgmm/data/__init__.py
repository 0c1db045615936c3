"""Data: validation, coercion, degeneracy, tables and files."""
