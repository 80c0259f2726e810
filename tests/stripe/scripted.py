"""A scripted Stripe: gives the answers it is told, for what localstripe cannot play."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

PAYMENT_ID = "pi_3Scripted"
EXPANDED_CHARGE = {"id": "ch_3Scripted", "object": "charge", "refunded": False}


def an_intent(status: str, **fields: object) -> dict[str, object]:
    """A PaymentIntent of Stripe's shape: 12.34 USD for the cart of these tests."""
    return {
        "id": PAYMENT_ID,
        "object": "payment_intent",
        "amount": 1234,
        "amount_capturable": 1234 if status == "requires_capture" else 0,
        "amount_received": 1234 if status == "succeeded" else 0,
        "capture_method": "manual",
        "currency": "usd",
        "last_payment_error": None,
        "latest_charge": EXPANDED_CHARGE,
        "livemode": False,
        "metadata": {"cart_id": "cart-1"},
        "status": status,
    } | fields


def an_error(code: str, error_type: str = "invalid_request_error", **fields: str) -> dict[str, Any]:
    """An error of Stripe's shape; its text must never be seen outside of the adapter."""
    message = f"Provider text about {PAYMENT_ID}"
    return {"error": {"code": code, "type": error_type, "message": message} | fields}


@dataclass
class Answer:
    """One answer, in the order of the requests; a body of ``str`` is sent as it is."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass
class Request:
    """What the server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, list[str]]

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


class ScriptedStripe:
    """Answers from a script, in order; a request beyond it is answered 500."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.requests: list[Request] = []
        self.url = ""

    def answers(self, *answers: Answer | dict[str, Any]) -> None:
        self.script += [each if isinstance(each, Answer) else Answer(200, each) for each in answers]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await _read(reader))
        answer = self.script.pop(0) if self.script else Answer(500, "the script is over")
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        head = {"Content-Length": str(len(text.encode())), "Connection": "close"}
        lines = [f"{name}: {value}" for name, value in (head | dict(answer.headers)).items()]
        writer.write("\r\n".join([f"HTTP/1.1 {answer.status} Scripted", *lines, "", text]).encode())
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    method, path, _ = head.split(" ")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, parse_qs(body.decode(), strict_parsing=bool(body)))


@asynccontextmanager
async def a_scripted_stripe() -> AsyncGenerator[ScriptedStripe]:
    scripted = ScriptedStripe()
    async with a_server(scripted.serve) as scripted.url:
        yield scripted


@asynccontextmanager
async def a_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncGenerator[str]:
    """The address of a server of one's own; it takes every connection down with it."""
    running: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running[asyncio.current_task()] = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client gave up
            try:
                await handle(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        # A connection just accepted would be lost, and never closed, if the server closed now.
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener)
        await asyncio.sleep(0)
        server.close()
        for task, writer in running.items():
            writer.transport.abort()
            if task:
                task.cancel()
        await asyncio.gather(*filter(None, running), return_exceptions=True)
