import pytest
from small_models import CASES


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}d-{case[2]}")
def case(request):
    return request.param
