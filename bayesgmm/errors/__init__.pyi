from .exceptions import BayesGMMError as BayesGMMError
from .exceptions import BayesGMMWarning as BayesGMMWarning
from .exceptions import DegeneracyWarning as DegeneracyWarning
from .exceptions import DerivativeError as DerivativeError
from .exceptions import ExecutorError as ExecutorError
from .exceptions import ExistingFileError as ExistingFileError
from .exceptions import FileError as FileError
from .exceptions import FitError as FitError
from .exceptions import FolderError as FolderError
from .exceptions import InputError as InputError
from .exceptions import InputTypeError as InputTypeError
from .exceptions import InvalidParameterError as InvalidParameterError
from .exceptions import MissingFileError as MissingFileError
from .exceptions import ModelFormatError as ModelFormatError
from .exceptions import PermissionDeniedError as PermissionDeniedError
from .exceptions import SingularCovarianceError as SingularCovarianceError
from .scikit_learn import ConvergenceWarning as ConvergenceWarning
from .scikit_learn import EstimatorParameterError as EstimatorParameterError
from .scikit_learn import NotFittedError as NotFittedError

__all__ = [
    "BayesGMMError",
    "BayesGMMWarning",
    "ConvergenceWarning",
    "DegeneracyWarning",
    "DerivativeError",
    "EstimatorParameterError",
    "ExecutorError",
    "ExistingFileError",
    "FileError",
    "FitError",
    "FolderError",
    "InputError",
    "InputTypeError",
    "InvalidParameterError",
    "MissingFileError",
    "ModelFormatError",
    "NotFittedError",
    "PermissionDeniedError",
    "SingularCovarianceError",
]
