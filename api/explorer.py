"""GraphiQL, the explorer that a browser gets at the GraphQL endpoint.

For development only: the endpoint asks ``wants_html`` and answers with ``page``, and the
application adds ``explorer_routes``, when it runs in development mode and not otherwise.
Everything comes from this server; see ``explorer_assets`` for how it got here.
"""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from api.explorer_assets import FOLDER, PATHS, missing

URL = "/graphql/explorer"
SCRIPT = Path(__file__).with_name("explorer.js")
TYPES = {".js": "text/javascript", ".css": "text/css"}

HEADERS = {
    # No script but ours, and no request but to this server. Styles may be inline: the editor
    # writes them as it runs. Fonts and icons lie in its style sheet as data.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self'; font-src data:; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}

HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>durable-checkout: GraphQL</title>
<link rel="icon" href="data:,">
"""

PAGE = "\n".join(
    [
        HEAD + "<style>body { margin: 0 } #explorer { height: 100dvh }</style>",
        *[f'<link rel="stylesheet" href="{URL}/{p}">' for p in PATHS if p.endswith(".css")],
        '<div id="explorer">The explorer needs JavaScript.</div>',
        *[f'<script src="{URL}/{p}"></script>' for p in PATHS if p.endswith(".js")],
        f'<script src="{URL}/{SCRIPT.name}"></script>',
        "</html>\n",
    ]
)

NOT_INSTALLED = f"""{HEAD}
<h1>The GraphQL explorer is not installed</h1>
<p>The endpoint works without it: send queries to this URL.
<p>The explorer's files are fetched once, by npm. Get them with one of these, and reload:
<pre>
make explorer
python -m api.explorer_assets
</pre>
</html>
"""


def explorer_routes() -> list[Route]:
    """The routes of the explorer's scripts and styles."""
    return [Route(f"{URL}/{{path:path}}", _asset)]


def wants_html(request: Request) -> bool:
    """Whether a browser opens the endpoint; a GET with a query gets the query's answer."""
    accepted = request.headers.get("accept", "").lower()
    return (
        request.method == "GET" and "text/html" in accepted and "query" not in request.query_params
    )


async def page(request: Request) -> Response:
    """The explorer, or how to install it."""
    if missing():
        return HTMLResponse(NOT_INSTALLED, status_code=503, headers=HEADERS)
    return HTMLResponse(PAGE, headers=HEADERS)


async def _asset(request: Request) -> Response:
    path: str = request.path_params["path"]
    ours = path == SCRIPT.name
    file = SCRIPT if ours else FOLDER / path
    if not (ours or path in PATHS) or not file.is_file():
        raise HTTPException(404)
    kept = "no-cache" if ours else "public, max-age=31536000, immutable"  # its URL has its version
    headers = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    return FileResponse(file, media_type=TYPES.get(file.suffix, "text/plain"), headers=headers)
