"""How Stripe's SDK sends its requests: the extension point for HTTP clients that it documents.

Its own httpx client sends a form as ``data=`` text, which httpx deprecates; it has no limit on the
size of an answer, and belongs to one event loop for ever.
"""

import asyncio
import logging
from collections.abc import Mapping

import httpx
import stripe

MAX_ANSWER_BYTES = 1024 * 1024
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100)


class StripeHttp(stripe.HTTPClient):
    """Sends requests, in whichever event loop they are made."""

    name = "httpx"

    def __init__(self, timeout_s: float) -> None:
        """Connect lazily.

        Args:
            timeout_s: Seconds to wait for a connection, and for each part of an answer.
        """
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """The answer: its body, status and headers.

        Raises:
            APIConnectionError: There is none.
        """
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            async with self._open().stream(
                method, url, headers=encoded, content=post_data or None
            ) as response:
                return await _read(response), response.status_code, response.headers
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise stripe.APIConnectionError("no answer") from None

    def _open(self) -> httpx.AsyncClient:
        """The client of the running loop: connections cannot move to another."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(timeout=self._timeout_s, limits=_LIMITS)
        return self._client

    async def close_async(self) -> None:
        """Close the connections; a request after this opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()


async def _read(response: httpx.Response) -> bytes:
    answer = bytearray()
    async for part in response.aiter_bytes():
        answer += part
        if len(answer) > MAX_ANSWER_BYTES:
            raise stripe.APIConnectionError("too long an answer")
    return bytes(answer)


def quieten() -> None:
    """Keep ids and Stripe's texts out of the log, and the SDK from writing a file at home."""
    stripe.enable_telemetry = False
    for name in ("stripe", "httpx"):
        noisy = logging.getLogger(name)
        if noisy.level == logging.NOTSET:
            noisy.setLevel(logging.WARNING)
