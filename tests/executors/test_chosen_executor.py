"""Which executor an argument stands for."""

import subprocess
import sys
from pathlib import Path

import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.executors import DaskExecutor, SerialExecutor, ThreadExecutor
from bayesgmm.executors.chosen_executor import as_executor


def test_threads_unless_a_client_is_active(a_client):
    assert as_executor() == ThreadExecutor()
    with a_client(0) as client:
        assert as_executor() == DaskExecutor(client)
        assert as_executor(SerialExecutor()) == SerialExecutor()
    assert as_executor() == ThreadExecutor()


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3)])
def test_an_executor(executor):
    assert as_executor(executor) is executor


@pytest.mark.parametrize("executor", ["threads", 4, True, ThreadExecutor, Path("rows"), object()])
def test_others_are_refused(executor):
    with pytest.raises(InvalidParameterError, match="executor must be None, SerialExecutor"):
        as_executor(executor)


def test_a_client_is_refused_with_the_way_to_use_it(a_client):
    with a_client(0) as client, pytest.raises(InvalidParameterError, match=r"DaskExecutor\(client"):
        as_executor(client)


def run(statements):
    return subprocess.run(
        [sys.executable, "-c", statements], capture_output=True, text=True, check=False
    )


def test_dask_is_not_imported_for_the_look():
    outcome = run(
        "import sys; from bayesgmm.executors.chosen_executor import as_executor; "
        "print(as_executor()); "
        "print(*{'dask', 'distributed', 'cloudpickle'} & set(sys.modules))"
    )
    assert outcome.stdout.strip() == "ThreadExecutor(n_threads=None)", outcome.stderr


def test_an_installation_without_dask():
    outcome = run(
        "import sys; sys.modules['dask'] = None\n"
        "from bayesgmm.executors.chosen_executor import as_executor\n"
        "from bayesgmm.executors import DaskExecutor"
    )
    assert "pip install 'bayesgmm[dask]'" in outcome.stderr.splitlines()[-1]
