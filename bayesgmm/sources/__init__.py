"""Sources of rows, read in blocks: arrays, files, Dask collections, streams of chunks."""
