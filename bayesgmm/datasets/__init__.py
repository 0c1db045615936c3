"""Small real data sets that ship with the package, each with its source."""

from bayesgmm.datasets.load import Dataset, dataset_names, load_dataset

__all__ = ["Dataset", "dataset_names", "load_dataset"]
