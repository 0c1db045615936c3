import pytest
from cases import STRUCTURES


@pytest.fixture(params=STRUCTURES, ids=lambda each: each.code)
def structure(request):
    return request.param
