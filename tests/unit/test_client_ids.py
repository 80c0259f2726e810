"""Is an idempotency key what the server sees of it, and nothing more?"""

import re

from hypothesis import given
from hypothesis import strategies as st

from client.ids import update_id

keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@given(keys)
def test_a_key_has_one_id_which_tells_nothing_of_it(key: str) -> None:
    made = update_id(key)
    assert made == update_id(key)
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert len(key) < 4 or key not in made


@given(keys, keys)
def test_two_keys_have_two_ids(one: str, other: str) -> None:
    assert (update_id(one) == update_id(other)) is (one == other)
