"""Pictures of the Temporal UI for the manual, of real checkouts: ``make screenshots``."""

import asyncio
import base64
import hashlib
import json
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Locator, Page, async_playwright
from temporalio.client import WorkflowUpdateStage

from client import CheckoutClient, OrderPlaced
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.contract import (
    ABORT_UPDATE,
    SWEEP_SCHEDULE_ID,
    Abort,
    workflow_id,
)
from tests.browser.graphiql import FLAGS, browser_program
from tests.builders import cart, product, usd
from tests.dev import Dev, a_dev
from tests.world import DEADLINE

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1580, 1700
AXIS = 75
"""What a timeline draws below its lowest line."""

MAX_BYTES = 300_000
TIMEOUT_MS = 30_000
INCIDENT_S = 240
"""A step that fails for two minutes becomes an incident."""

COLUMNS = (
    "Status",
    "Workflow ID",
    "CheckoutStatus",
    "CheckoutReason",
    "CheckoutOrderNumber",
    "CheckoutTotal",
)
VIEWS = {
    "Checkouts": 'WorkflowType = "checkout"',
    "Stuck": 'CheckoutStatus IN ("incident", "payment_review") AND ExecutionStatus = "Running"',
    "Waiting for payment": 'CheckoutStatus = "payment_pending"',
    "Refused": 'CheckoutStatus = "refused"',
    "Broken": 'ExecutionStatus IN ("Failed", "TimedOut", "Terminated")',
}
NO_VOID = {"authorize": "pending_shopper", "faults": [
    {"call": "void", "mode": "fail_before", "times": 1000}]}  # fmt: skip


def cart_id(name: str) -> str:
    """A guest's cart id as storefronts make them: 32 letters and digits, the same every time."""
    digest = base64.b64encode(hashlib.sha256(name.encode()).digest() * 2).decode()
    return "".join(each for each in digest if each.isalnum())[:32]


class Shop:
    """Checkouts in every state, made through the client and the sandbox gateway."""

    def __init__(self, dev: Dev, client: CheckoutClient, gateway: SandboxGateway) -> None:
        self._dev = dev
        self._client = client
        self._gateway = gateway

    async def pays(self, name: str, script: Any = "approved") -> Any:
        """A checkout of two apples that is paid online."""
        self._dev.store.carts.save(cart(cart_id(name), ("apple", 2)))
        payment = f"PAY-{name.upper()}"
        named = script if isinstance(script, str) else "approved"
        await self._gateway.make(cart_id(name), usd("30.00"), payment_id=payment, script=named)
        if named is not script:
            await self._gateway.behave(payment, script)
        return await self._client.complete_order(cart_id(name), payment, deadline=DEADLINE)

    async def places(self, name: str, sku: str) -> Any:
        """A checkout that is paid offline."""
        self._dev.store.carts.save(cart(cart_id(name), (sku, 1)))
        return await self._client.place_order(cart_id(name), deadline=DEADLINE)

    async def aborts(self, name: str, reason: str) -> None:
        """An operator stops a checkout; not waited for."""
        temporal = await self._dev.temporal()
        handle: Any = temporal.get_workflow_handle(workflow_id(cart_id(name)))
        started = WorkflowUpdateStage.ACCEPTED
        abort = Abort(reason=reason, by="grace")
        await handle.start_update(ABORT_UPDATE, abort, wait_for_stage=started)


async def made(dev: Dev) -> None:
    """One checkout of each kind."""
    dev.store.catalog.put([product("apple"), product("pear"), product("plum", 0)])
    shop = Shop(dev, await dev.client(), dev.gateway())
    await shop.pays("stuck", NO_VOID)
    await shop.aborts("stuck", "ordered by phone instead")
    assert isinstance(await shop.places("offline", "pear"), OrderPlaced)
    await shop.places("soldout", "plum")
    await shop.pays("declined", "declined")
    await shop.pays("pending", "3ds_abandoned")
    await shop.pays("review", "capture_declined")
    assert isinstance(await shop.pays("paid"), OrderPlaced)
    await shop.pays("aborted", "3ds_abandoned")
    await shop.aborts("aborted", "the shopper called: wrong address")
    sweep = (await dev.temporal()).get_schedule_handle(SWEEP_SCHEDULE_ID)
    await sweep.trigger()


class Ui:
    """The Temporal UI in a browser."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._url = f"{url}/namespaces/default"

    async def view(self, name: str, *shown: str) -> Locator:
        """Open a saved view; its lowest row, when everything that is named is in it.

        The list is read again until then: visibility is a little behind.
        """
        rows = self.page.locator("tbody tr").filter(has_text="checkout-")
        query = urlencode({"query": VIEWS[name], "savedQuery": name})
        async with asyncio.timeout(INCIDENT_S):
            while True:
                await self.page.goto(f"{self._url}/workflows?{query}")
                await rows.first.wait_for()
                text = await self.page.locator("tbody").inner_text()
                if all(each in text for each in shown):
                    return rows.last

    async def timeline(self, name: str, has: str) -> Locator:
        """Open the timeline of a checkout; its lowest line, when something is in it."""
        await self._run(name)
        await self.page.get_by_text(has).first.wait_for()
        return self.page.get_by_text("answer", exact=True).last

    async def story(self, name: str, has: str) -> Locator:
        """Open the current details of a checkout, when they tell something."""
        await self._run(name)
        await self.page.get_by_role("tab", name="User Metadata").click()
        details = self.page.locator("#content iframe").last
        await details.content_frame.get_by_text(has).first.wait_for()
        return details.locator("xpath=ancestor::div[contains(@class, 'flex-row')][1]")

    async def update(self, name: str, update: str, data: str) -> Locator:
        """Fill in the form by which an update is sent."""
        await self._run(name)
        await self.page.get_by_role("button", name="More Actions").click()
        await self.page.get_by_role("menuitem", name="Send an Update").click()
        form = self.page.locator("dialog[open]")
        await form.get_by_test_id("update-select-button").click()
        await form.get_by_role("option", name=update).click()
        await form.locator(".cm-content").fill(data)
        await form.get_by_text("Data", exact=True).click()  # the editor sets it out when it is left
        return form

    async def schedule(self) -> Locator:
        """Open the schedule of the sweep, when it has run."""
        await self.page.goto(f"{self._url}/schedules/{SWEEP_SCHEDULE_ID}")
        runs = self.page.get_by_role("link", name=f"{SWEEP_SCHEDULE_ID}-")
        await runs.first.wait_for()
        return self.page.get_by_text("Every ").last

    async def _run(self, name: str) -> None:
        await self.page.goto(f"{self._url}/workflows/{workflow_id(cart_id(name))}")
        await self.page.get_by_role("tab", name="User Metadata").wait_for()

    async def shoot(self, name: str, until: Locator, margin: int = 24) -> None:
        """Take a picture of the page's content, down to the end of an element."""
        await self.page.mouse.move(WIDTH - 4, HEIGHT - 4)
        content = await self.page.locator("#content").bounding_box()
        last = await until.bounding_box()
        assert content
        assert last
        x, y = content["x"], content["y"]
        height = last["y"] + last["height"] + margin - y
        file = IMAGES / f"{name}.png"
        await self.page.screenshot(
            path=file,
            clip={"x": x, "y": y, "width": WIDTH - x, "height": height},
            animations="disabled",
        )
        size = file.stat().st_size
        sys.stdout.write(f"{file.name}: {size // 1000} kB\n")
        assert size < MAX_BYTES, name


@asynccontextmanager
async def a_ui(url: str) -> AsyncGenerator[Ui]:
    """A browser whose settings are those that the manual tells to make."""
    columns = {"default": [{"label": label} for label in COLUMNS]}
    views = [{"id": name, "name": name, "query": query, "type": "user"}
             for name, query in VIEWS.items()]  # fmt: skip
    kept = {
        "namespace-workflow-table-columns": columns,
        "saved-workflow-queries": {"default": views},
    }
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_program(), args=FLAGS)
        async with browser:
            page = await browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="UTC", color_scheme="light"
            )
            page.set_default_timeout(TIMEOUT_MS)
            for name, value in kept.items():
                put = f"localStorage.setItem({json.dumps(name)}, {json.dumps(json.dumps(value))})"
                await page.add_init_script(put)
            yield Ui(page, url)


async def main() -> None:
    """Make checkouts, wait for what must be waited for, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        async with a_dev(Path(directory)) as dev, a_ui(dev.running.ui_url) as ui:
            await made(dev)
            await shoot_all(ui)


async def shoot_all(ui: Ui) -> None:
    """Every picture; the incident comes last, for it takes two minutes to become one."""
    await ui.shoot("ordered", await ui.timeline("paid", "capture_payment"), AXIS)
    await ui.shoot("refused", await ui.story("declined", "undone: Give cart and stock back"))
    await ui.shoot("undone", await ui.timeline("aborted", "unlock_cart"), AXIS)
    await ui.shoot("pending", await ui.story("pending", "payment pending"))
    await ui.shoot("review", await ui.story("review", "Incident: capture_payment"))
    await ui.shoot("sweep", await ui.schedule())
    every = await ui.view("Checkouts", "void_payment", "payment_review", "ABORTED")
    await ui.shoot("checkouts", every)
    await ui.shoot("stuck", await ui.view("Stuck", "void_payment", "payment_review"))
    await ui.shoot("incident", await ui.story("stuck", "Incident: void_payment"))
    data = '{"step": "void_payment", "reason": "the gateway is back", "by": "grace"}'
    form = await ui.update("stuck", "retry", data)
    await form.screenshot(path=IMAGES / "update.png", animations="disabled")


if __name__ == "__main__":
    asyncio.run(main())
