"""Is an answer that would be too large given up, and one at the limit given?"""

import pytest

from api.limits import Limits
from tests.api.small_schema import World, ask, client_of, small_app

CALLER = "{ whoAmI { customer email store currency key address } }"


@pytest.mark.parametrize(("values", "status"), [(6, 200), (5, 400)])
async def test_so_many_values_and_no_more(values: int, status: int) -> None:
    async with client_of(small_app(World(), Limits(values=values))) as client:
        answer = await ask(client, CALLER)
    assert answer.status_code == status
    if status == 400:
        assert answer.json().keys() == {"errors"}
        assert "too large" in answer.json()["errors"][0]["message"]
