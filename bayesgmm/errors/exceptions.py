"""Exceptions and warnings that need Python alone."""

from typing import Any, Self


class BayesGMMError(Exception):
    """Root of every error that the package raises on purpose."""


class InputError(BayesGMMError, ValueError):
    """Raised when the numbers in the data cannot be used: NaN, infinities, shapes, rank."""


class InputTypeError(BayesGMMError, TypeError):
    """Raised when the data are not numbers: text, times, categories, complex, masked, sparse."""


class InvalidParameterError(BayesGMMError, ValueError, TypeError):
    """Raised when a parameter is out of its range or type; both a ValueError and a TypeError."""


class DerivativeError(BayesGMMError, NotImplementedError):
    """Raised when a derivative is requested that the likelihood does not have."""


class ExecutorError(BayesGMMError, RuntimeError):
    """Raised when a sum over rows cannot be finished because the workers were lost."""


class FitError(BayesGMMError, ValueError):
    """Raised when every start of a fit collapsed; the message lists the starts and remedies."""


class ModelFormatError(BayesGMMError, ValueError):
    """Raised when a model file or text is damaged, foreign, or of a newer version."""


class FileError(BayesGMMError, OSError):
    """Raised when a file cannot be read or written; `errno` is the system's number of the cause."""

    def __str__(self) -> str:
        return str(self.strerror)


class ExistingFileError(FileError, FileExistsError):
    """Raised when a file exists and must not be replaced."""


class MissingFileError(FileError, FileNotFoundError):
    """Raised when a file or folder does not exist."""


class FolderError(FileError, IsADirectoryError):
    """Raised when a file is needed and the path leads to a folder."""


class PermissionDeniedError(FileError, PermissionError):
    """Raised when a file or folder may not be read or written."""


class SingularCovarianceError(BayesGMMError, ValueError):
    """Raised by an E-step at a covariance that is not positive definite: that of `component`."""

    def __init__(self, component: int) -> None:
        super().__init__(
            f"The covariance of component {component} is not positive definite to rounding. "
            "The component has collapsed onto too few distinct rows, or onto a plane."
        )
        self.component = component

    def __reduce__(self) -> tuple[type[Self], tuple[int], dict[str, Any]]:
        # From another process; an exception is otherwise made again from its message.
        return type(self), (self.component,), self.__dict__


class BayesGMMWarning(UserWarning):
    """Root of every warning of the package."""


class DegeneracyWarning(BayesGMMWarning):
    """Issued, once a fit, when starts collapsed or a component has too few rows."""
