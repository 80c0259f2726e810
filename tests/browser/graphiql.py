"""A real browser on the explorer, and what it must not do: ask others, miss a file, complain."""

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import ConsoleMessage, Locator, Page, Request, Response, async_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOST = "127.0.0.1"
TIMEOUT_MS = 20_000

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
]

QUERY = ".graphiql-query-editor .CodeMirror"
TOOL = ".graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror"
"""The editor of the variables or of the headers, whichever tab is open."""
RESULT = ".result-window .CodeMirror"


class Explorer:
    """GraphiQL at a URL.

    Attributes:
        trouble: What the page did that it must not; ``browsing`` fails the test for it.
    """

    def __init__(self, page: Page, endpoint: str) -> None:
        self.page = page
        self.endpoint = endpoint
        self.trouble: list[str] = []
        page.on("request", self._asked)
        page.on("requestfailed", lambda request: self._say("failed", request.url))
        page.on("response", self._answered)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._say("raised", error.message))

    async def open(self) -> None:
        """Load the page; the schema is there when this returns."""
        async with self.page.expect_response(self._is_answer) as introspection:
            await self.page.goto(self.endpoint)
        answer = await (await introspection.value).json()
        assert "errors" not in answer, answer["errors"]
        await self.page.locator(QUERY).wait_for()
        await self.page.locator(".graphiql-spinner").wait_for(state="hidden")

    async def query(self) -> str:
        return await self._text(QUERY)

    async def set_query(self, text: str) -> None:
        await self._set(QUERY, text)
        # The page reads the operations' names a moment later, and would send the old one until.
        await self.page.wait_for_function(
            """([selector, text]) => {
                const read = document.querySelector(selector).CodeMirror.documentAST;
                return !read || read.loc.source.body === text;
            }""",
            arg=[QUERY, text],
        )

    async def variables(self) -> str:
        await self.page.locator("button[data-name=variables]").click()
        return await self._text(TOOL)

    async def set_variables(self, values: dict[str, Any]) -> None:
        await self.page.locator("button[data-name=variables]").click()
        await self._set(TOOL, json.dumps(values))

    async def set_headers(self, values: dict[str, str]) -> None:
        await self.page.locator("button[data-name=headers]").click()
        await self._set(TOOL, json.dumps(values))

    async def type_query(self, text: str) -> Locator:
        """Type into an empty editor, as a person does; the completions that it offers."""
        await self.set_query("")
        await self.page.locator(QUERY).click()
        await self.page.keyboard.type(text, delay=20)
        return self.page.locator(".CodeMirror-hint")

    async def run(self, operation: str = "") -> dict[str, Any]:
        """The answer to the query, or to one operation of it, as the result pane shows it."""
        if operation:
            await self.page.locator(QUERY).evaluate(
                """(element, name) => {
                    const lines = element.CodeMirror.getValue().split("\\n");
                    const line = lines.findIndex(
                        (each) => new RegExp(`^(query|mutation) ${name}\\\\b`).test(each));
                    if (line < 0) throw new Error(`no operation ${name}`);
                    element.CodeMirror.setCursor(line, 0);
                }""",
                operation,
            )
        await self.page.locator(QUERY).evaluate("element => element.CodeMirror.focus()")
        async with self.page.expect_response(self._is_answer):
            await self.page.keyboard.press("Control+Enter")
        await self.page.wait_for_function(
            """selector => !document.querySelector(".graphiql-spinner")
                && document.querySelector(selector)?.CodeMirror.getValue()""",
            arg=RESULT,
        )
        return json.loads(await self._text(RESULT))

    async def documentation(self) -> str:
        """The text of the schema's page of root types."""
        await self.page.get_by_label("Show Documentation Explorer").click()
        explorer = self.page.locator(".graphiql-doc-explorer")
        await explorer.get_by_text("Root Types").wait_for()
        return await explorer.inner_text()

    async def _text(self, selector: str) -> str:
        return await self.page.locator(selector).evaluate("e => e.CodeMirror.getValue()")

    async def _set(self, selector: str, text: str) -> None:
        editor = self.page.locator(selector)
        await editor.evaluate("(e, text) => e.CodeMirror.setValue(text)", text)

    def _is_answer(self, response: Response) -> bool:
        return response.url == self.endpoint and response.request.method == "POST"

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in (HOST, None):  # none: data in the style sheet
            self._say("asked", request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not self._is_answer(response):
            self._say(f"got {response.status}", response.url)

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium reports an answer with an error status, too; that is the test's own matter.
        if message.type == "error" and message.location["url"] != self.endpoint:
            self._say(message.type, message.text)

    def _say(self, *words: str) -> None:
        self.trouble.append(" ".join(words))


def browser_program() -> str:
    """The browser on PATH; the test fails without one, because skipping would hide it."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    assert found, f"install a browser: none of {', '.join(BROWSERS)} is on PATH"
    return found


@asynccontextmanager
async def browsing(endpoint: str) -> AsyncGenerator[Explorer]:
    """The explorer of an endpoint, opened in a fresh browser.

    Raises:
        AssertionError: The page made trouble.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_program(), args=FLAGS)
        async with browser:
            page = await browser.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(TIMEOUT_MS)
            explorer = Explorer(page, endpoint)
            await explorer.open()
            yield explorer
    assert explorer.trouble == [], explorer.trouble
