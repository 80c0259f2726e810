"""Does the codec open what it sealed, under every key that it knows, and nothing else?"""

import asyncio
import base64
import logging
from dataclasses import replace

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, FailureError

from commerce.adapters.codec import (
    CodecKeyError,
    PayloadCodecError,
    PayloadEncryption,
    encrypted,
    tell_of_plain,
)
from commerce.contract import INVALID_INPUT, REFUSED_ENCODING
from tests.replay.record import HISTORIES
from tests.replay.test_replay import history, replayer
from workflows.payloads import CheckedPayloadConverter, checkout_data_converter

OLD, NEW = PayloadEncryption.new_key("old"), PayloadEncryption.new_key("new")
CODEC = PayloadEncryption.parse(NEW)
SECRET = b'"12 Canary Street"'
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=SECRET)

payloads = st.builds(
    Payload,
    metadata=st.dictionaries(st.text(max_size=8), st.binary(max_size=16), max_size=3),
    data=st.binary(max_size=300),
)


def seal(payload: Payload, keys: str = NEW) -> Payload:
    [sealed] = asyncio.run(PayloadEncryption.parse(keys).encode([payload]))
    return sealed


def open_(payload: Payload, keys: str = NEW) -> Payload:
    [opened] = asyncio.run(PayloadEncryption.parse(keys).decode([payload]))
    return opened


def refused(payload: Payload, keys: str = NEW) -> str:
    """Why a payload is not opened; never with what is in it, or with a key."""
    with pytest.raises(PayloadCodecError) as error:
        open_(payload, keys)
    assert not isinstance(error.value, FailureError), "the SDK would end the run for good"
    assert error.value.__cause__ is None
    said = str(error.value)
    assert "Canary" not in said
    assert not [key for key in keys.split(",") if key.partition(":")[2] in said]
    return said


@given(payloads)
def test_what_is_sealed_is_opened_as_it_was(payload: Payload) -> None:
    sealed = seal(payload)
    assert open_(sealed) == payload
    assert payload.data not in sealed.data or len(payload.data) < 8
    assert sealed != seal(payload), "each has a nonce of its own"


def test_nothing_of_the_content_is_to_be_seen() -> None:
    sealed = seal(PLAIN)
    assert b"Canary" not in sealed.SerializeToString()
    assert b"json/plain" not in sealed.SerializeToString()
    assert dict(sealed.metadata) == {
        "encoding": b"binary/encrypted",
        "encryption-cipher": b"AES-256-GCM",
        "encryption-key-id": b"new",
    }


@pytest.mark.parametrize("field", ["data", "encryption-cipher", "encryption-key-id"])
def test_every_bit_of_it_counts(field: str) -> None:
    sealed = seal(PLAIN)
    content = sealed.data if field == "data" else sealed.metadata[field]
    for n in range(8 * len(content)):
        changed = Payload.FromString(sealed.SerializeToString())
        flipped = bytearray(content)
        flipped[n // 8] ^= 1 << n % 8
        if field == "data":
            changed.data = bytes(flipped)
        else:
            changed.metadata[field] = bytes(flipped)
        refused(changed)


def test_every_bit_counts_on_the_wire() -> None:
    wire = seal(PLAIN).SerializeToString()
    for n in range(8 * len(wire)):
        flipped = bytearray(wire)
        flipped[n // 8] ^= 1 << n % 8
        try:
            changed = Payload.FromString(bytes(flipped))
        except DecodeError:
            continue
        refused(changed)


@given(st.data())
@settings(max_examples=50)
def test_a_truncated_one_is_refused(data: st.DataObject) -> None:
    sealed = seal(PLAIN)
    sealed.data = sealed.data[: data.draw(st.integers(0, len(sealed.data) - 1))]
    refused(sealed)


def test_a_swapped_key_id_is_refused_though_both_are_known() -> None:
    sealed = seal(PLAIN)
    sealed.metadata["encryption-key-id"] = b"old"
    assert "'old'" in refused(sealed, f"{NEW},{OLD}")


def test_the_id_is_bound_to_the_content_though_two_ids_have_one_key() -> None:
    twin = NEW.replace("new:", "twin:")
    sealed = seal(PLAIN)
    sealed.metadata["encryption-key-id"] = b"twin"
    refused(sealed, f"{NEW},{twin}")


def test_the_middle_of_another_payload_is_refused() -> None:
    one, other = seal(PLAIN), seal(PLAIN)
    one.data = one.data[:12] + other.data[12:]
    refused(one)


@pytest.mark.parametrize("name", [b"gone", b"", b"\xff", b"x" * 40, b"plain"])
def test_an_unknown_key_is_named_and_refused(name: bytes) -> None:
    sealed = seal(PLAIN)
    sealed.metadata["encryption-key-id"] = name
    assert "not known" in refused(sealed)


def test_added_metadata_is_refused() -> None:
    sealed = seal(PLAIN)
    sealed.metadata["more"] = b"x"
    refused(sealed)
    sealed = seal(PLAIN)
    del sealed.metadata["encryption-cipher"]
    refused(sealed)


def test_a_rotated_key_still_reads_and_the_newest_writes() -> None:
    sealed = seal(PLAIN, OLD)
    assert open_(sealed, f"{NEW},{OLD}") == PLAIN
    assert seal(PLAIN, f"{NEW},{OLD}").metadata["encryption-key-id"] == b"new"
    assert open_(seal(PLAIN), f"{OLD},{NEW}") == PLAIN, "known as second before it writes"
    assert "'old'" in refused(sealed)


# -- what is not encrypted ---------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [b"json/plain", b"binary/null", b"binary/protobuf", b""])
def test_plain_text_is_refused(encoding: bytes) -> None:
    assert "not encrypted" in refused(Payload(metadata={"encoding": encoding}, data=SECRET))


def test_plain_text_is_read_where_the_keys_say_so() -> None:
    keys = f"{NEW},plain"
    assert open_(PLAIN, keys) == PLAIN
    assert open_(seal(PLAIN, keys), keys) == PLAIN
    assert seal(PLAIN, keys).metadata["encoding"] == b"binary/encrypted"


def test_plain_text_is_written_only_where_it_comes_first() -> None:
    assert seal(PLAIN, f"plain,{NEW}") == PLAIN
    assert open_(seal(PLAIN), f"plain,{NEW}") == PLAIN


def worker_converter(keys: str = NEW) -> DataConverter:
    return encrypted(checkout_data_converter, PayloadEncryption.parse(keys, for_worker=True))


async def test_a_worker_gets_nothing_of_what_no_key_will_ever_open() -> None:
    worker = PayloadEncryption.parse(NEW, for_worker=True)
    [changed] = await worker.encode([PLAIN])
    changed.data = changed.data[:-1] + bytes([changed.data[-1] ^ 1])
    for payload in (PLAIN, changed, *await never_sealed()):
        assert await worker.decode([payload]) == [Payload(metadata={"encoding": REFUSED_ENCODING})]
        with pytest.raises(KeyError, match="binary/refused"):
            await worker_converter().decode([payload], [str])


async def never_sealed() -> list[Payload]:
    """What says that it was encrypted, and cannot have been, whatever the keys."""
    found: list[Payload] = []
    for name, value in (
        ("encryption-cipher", b"ROT13"),
        ("encryption-cipher", None),
        ("encryption-key-id", b"\xff!"),
        ("encryption-key-id", b""),
        ("encryption-key-id", b"x" * 33),
        ("encryption-key-id", b"plain"),
        ("encryption-key-id", None),
        ("more", b"x"),
    ):
        [sealed] = await CODEC.encode([PLAIN])
        if value is None:
            del sealed.metadata[name]
        else:
            sealed.metadata[name] = value
        found.append(sealed)
    return found


async def test_a_worker_fails_at_a_key_that_another_may_have() -> None:
    [sealed] = await PayloadEncryption.parse(OLD).encode([PLAIN])
    with pytest.raises(PayloadCodecError, match="'old'"):
        await PayloadEncryption.parse(NEW, for_worker=True).decode([sealed])


async def test_a_history_from_before_keeps_its_run_until_the_keys_say_plain() -> None:
    """Its task fails and is tried again; the run itself does not."""
    kept = history(HISTORIES / "1-place.json")
    before = replayer()
    for keys, error in ((NEW, True), (f"{NEW},plain", False)):
        config = before.config()
        config["data_converter"] = worker_converter(keys)
        result = await type(before)(**config).replay_workflow(kept, raise_on_replay_failure=False)
        assert (result.replay_failure is not None) is error
        assert INVALID_INPUT not in str(result.replay_failure)


# -- failures ----------------------------------------------------------------------------------


async def test_the_text_of_a_failure_is_encrypted_and_read_back() -> None:
    converter = encrypted(pydantic_data_converter, CODEC)
    failure = Failure()
    cause = ValueError("Canary Street 12")
    error = ApplicationError("Canary Street 13", "Canary Street 14", type="Refused")
    error.__cause__ = cause
    await converter.encode_failure(error, failure)
    assert b"Canary" not in failure.SerializeToString()
    back = await converter.decode_failure(failure)
    assert isinstance(back, ApplicationError)
    assert back.message == "Canary Street 13"
    assert back.details == ("Canary Street 14",)
    assert "Canary Street 12" in str(back.__cause__)


def test_the_rest_of_the_converter_stays() -> None:
    made = encrypted(checkout_data_converter, CODEC)
    assert made.payload_converter_class is checkout_data_converter.payload_converter_class
    plain = replace(
        made,
        payload_codec=None,
        failure_converter_class=checkout_data_converter.failure_converter_class,
    )
    assert plain.payload_converter_class is made.payload_converter_class


# -- keys --------------------------------------------------------------------------------------

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        KEY,
        f":{KEY}",
        f"a b:{KEY}",
        f"a:{KEY},a:{KEY}",
        f"a:{KEY},",
        f"a:{KEY[:-4]}",
        f"a:{KEY[:-1]}",
        f"a:{KEY}!",
        "a:",
        f"plain:{KEY}",
        "plain",
        f"plain,plain,a:{KEY}",
        f"{'a' * 33}:{KEY}",
        f"a:{base64.b64encode(bytes(32)).decode()}",
        f"a:{KEY},b:{base64.b64encode(b'k' * 32).decode()}",
    ],
)
def test_keys_that_are_none_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(CodecKeyError) as error:
        PayloadEncryption.parse(text)
    assert str(error.value).startswith("CHECKOUT_CODEC_KEYS: ")
    assert KEY[:8] not in str(error.value)
    assert error.value.__cause__ is None


def test_ids_are_in_the_order_given() -> None:
    assert PayloadEncryption.parse(f"b:{KEY}, a:{KEY} ,plain").ids == ("b", "a", "plain")


@pytest.mark.parametrize(
    ("keys", "levels"),
    [(NEW, []), (f"{NEW},plain", ["WARNING"]), (f"plain,{NEW}", ["ERROR"])],
    ids=["encrypted", "also plain", "plain"],
)
def test_keys_that_let_plain_text_in_are_told_of(
    keys: str, levels: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tell_of_plain(PayloadEncryption.parse(keys))
    assert [each.levelname for each in caplog.records] == levels
    assert ("nothing is encrypted" in caplog.text) is (levels == ["ERROR"])


def test_a_new_key_is_new() -> None:
    assert PayloadEncryption.parse(PayloadEncryption.new_key()).ids == ("1",)
    assert PayloadEncryption.new_key() != PayloadEncryption.new_key()


async def test_what_the_server_writes_itself_stops_no_worker() -> None:
    """A step that is cancelled before it began has details in plain text, by the server's hand."""
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"ACTIVITY_ID_NOT_STARTED"')
    worker = PayloadEncryption.parse(PayloadEncryption.new_key(), for_worker=True)
    assert CheckedPayloadConverter().from_payloads(await worker.decode([plain])) == [None]
