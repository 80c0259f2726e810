"""localstripe as a program of its own; it prints where it runs.

It listens on loopback only, keeps nothing on disk (localstripe's own command writes one fixed file
in /tmp, whoever runs it), and knows idempotency keys, which localstripe passes over.
"""

import json
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from localstripe import resources, server  # pyright: ignore[reportMissingTypeStubs]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MISUSED = {"type": "idempotency_error", "message": "The key was used with other parameters."}

answers: dict[tuple[str, str], tuple[object, web.Response]] = {}


@web.middleware
async def remember(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a key as the first time, as Stripe does; failures, too."""
    if "Idempotency-Key" not in request.headers:
        return await handler(request)
    key = (request.headers["Authorization"], request.headers["Idempotency-Key"])
    asked = (request.method, request.path, await request.read())
    if key not in answers:
        answer = await handler(request)
        assert isinstance(answer, web.Response)
        answers[key] = (asked, answer)
        return answer
    asked_before, answer = answers[key]
    if asked != asked_before:
        return web.Response(status=400, text=json.dumps({"error": MISUSED}))
    again = {"Idempotent-Replayed": "true"}
    return web.Response(status=answer.status, body=answer.body, headers=again)


if __name__ == "__main__":
    resources.Store.dump_to_disk = lambda self: None  # pyright: ignore
    server.app.middlewares.insert(0, remember)
    web.run_app(server.app, sock=socket.create_server(("127.0.0.1", 0)))
