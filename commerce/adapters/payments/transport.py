"""Requests to a provider: an answer, a refusal, or no answer, and nothing else."""

import asyncio
import logging

import httpx

MAX_ANSWER_BYTES = 64 * 1024
_MAY_HAVE_TAKEN_EFFECT = (408, 429)
# Few are kept, for the pool looks at every one of them with every request.
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=8)


class NoAnswerError(Exception):
    """No answer, or one that says nothing."""


class RefusedError(Exception):
    """The request was understood, and refused.

    Attributes:
        status: Of HTTP.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ProviderHttp:
    """Sends requests; what comes back is bytes, a refusal or no answer."""

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        if not key or not key.isascii() or not key.isprintable():
            raise ValueError("the gateway key is empty, or not printable ASCII")
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, ids and all
        self._url = url.rstrip("/")
        self._authorization = f"Bearer {key}"
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = "",
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> bytes:
        """The body of the answer.

        Raises:
            NoAnswerError: It may have taken effect.
            RefusedError: It has not.
        """
        headers = [(b"Idempotency-Key", key.encode("utf-8", "replace"))] if key else []
        try:
            # httpx limits the wait for each part of an answer; this is for all of it.
            async with asyncio.timeout(self._timeout_s):
                async with self._open().stream(
                    method, f"{self._url}{path}", json=body, headers=headers
                ) as response:
                    answer = await _read(response, max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError):
            raise NoAnswerError from None
        if 400 <= response.status_code < 500 and response.status_code not in _MAY_HAVE_TAKEN_EFFECT:
            raise RefusedError(response.status_code)
        if not response.is_success:
            raise NoAnswerError
        return answer

    def _open(self) -> httpx.AsyncClient:
        """The client of the running loop: connections cannot move to another."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                headers={"Authorization": self._authorization, "Accept-Encoding": "identity"},
                timeout=self._timeout_s,
                limits=_LIMITS,
                trust_env=False,
            )
        return self._client

    async def aclose(self) -> None:
        """Close the connections; a request after this opens new ones."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    answer = bytearray()
    async for part in response.aiter_bytes():
        answer += part
        if len(answer) > max_bytes:
            raise NoAnswerError
    return bytes(answer)
