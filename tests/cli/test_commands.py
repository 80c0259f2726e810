"""Do the commands do what they say, and fail with one line and exit status 2?"""

import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from sqlalchemy import text

from cli.app import main
from cli.data_dir import load_settings
from cli.ports import free_ports
from cli.show import print_order
from commerce.adapters.store.sql_store import open_store
from commerce.domain.money import Money
from commerce.domain.orders import Order, OrderStatus
from commerce.domain.payments import PaymentStatus
from commerce.domain.totals import Totals
from tests.builders import TEXAS, cart
from tests.payments import Gateway
from tests.programs import free_port

HEADER = "sku,name,type,price,quantity\n"


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "data"
    monkeypatch.setenv("CHECKOUT_DATA_DIR", str(made))
    assert run("migrate").exit_code == 0
    return made


@pytest.fixture
def catalog(data_dir: Path, tmp_path: Path) -> Path:
    file = tmp_path / "catalog.csv"
    file.write_text(HEADER + 'apple,"Apple, red",simple,1.29,10\nsong,A song,virtual,0.99,\n')
    assert run("catalog", "import", str(file)).exit_code == 0
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})


def assert_one_line_error(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


def test_a_catalogue_sets_stock_and_price_and_may_be_repeated(
    data_dir: Path, catalog: Path
) -> None:
    store = open_store(load_settings(data_dir))
    assert store.catalog.units() == {"apple": (10, 0)}
    catalog.write_text(HEADER + "apple,Apple,simple,1.49,7\n")
    assert "1 products set" in run("catalog", "import", str(catalog)).output
    assert store.catalog.units() == {"apple": (7, 0)}
    assert run("audit").exit_code == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("apple,Apple,simple,1.2.3,1", "price"),
        ("apple,Apple,simple,-1,1", "price"),
        ("apple,Apple,simple,NaN,1", "price"),
        ("apple,Apple,simple,1.999,1", "decimals"),
        ("apple,Apple,simple,99999999999999999999,1", "price"),
        ("apple,Apple,simple,1,-1", "quantity"),
        ("apple,Apple,simple,1,1.5", "quantity"),
        ("apple,Apple,simple,1,9999999999999", "quantity"),
        ("apple,Apple,gift,1,1", "type"),
        (",Apple,simple,1,1", "sku"),
        ("apple,,simple,1,1", "name"),
        ("apple,Apple,simple,1", "columns"),
        ("apple,Apple,simple,1,1,1", "columns"),
        ("pear,Pear,simple,1,1", "given twice"),
        ('apple,"Apple,simple,1,1', ""),
        (f"{'x' * 65},Apple,simple,1,1", "sku"),
    ],
)
def test_a_bad_line_is_named_and_changes_nothing(
    data_dir: Path, tmp_path: Path, line: str, complaint: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(f"{HEADER}pear,Pear,simple,1,1\n{line}\n")
    assert_one_line_error(run("catalog", "import", str(file)), "bad.csv:3", complaint)
    assert open_store(load_settings(data_dir)).catalog.units() == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "columns"),
        (b"sku,price\n", "columns"),
        (b"\xff\xfe\x00", "UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_catalogue_is_a_clear_error(
    data_dir: Path, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "file.csv"
    if content is not None:
        file.write_bytes(content)
    assert_one_line_error(run("catalog", "import", str(file)), complaint)


def test_a_directory_is_no_catalogue(data_dir: Path, tmp_path: Path) -> None:
    assert_one_line_error(run("catalog", "import", str(tmp_path)), "Is a directory")


def test_stores_are_added_and_changed_at_once(data_dir: Path) -> None:
    settings = [
        "currency=EUR",
        "allowed_countries=de,FR",
        "order_prefix=EU",
        "guest_checkout=false",
        "payment_methods=checkmo,banktransfer",
        "shipping_methods=flatrate,freeshipping",
    ]
    assert run("store", "add", "europe", *settings).exit_code == 0
    assert run("store", "set", "europe", "allowed_countries=").exit_code == 0
    europe = open_store(load_settings(data_dir)).stores.all()[1]
    assert europe.model_dump(mode="json") == {
        "code": "europe",
        "currency": "EUR",
        "allowed_countries": [],
        "order_prefix": "EU",
        "guest_checkout": False,
        "payment_methods": ["checkmo", "banktransfer"],
        "shipping_methods": ["flatrate", "freeshipping"],
        "street_lines": 2,
    }
    listed = run("store", "list").output
    assert "europe" in listed
    assert "EUR" in listed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("set", "default", "currency=XXX"), "XXX"),
        (("set", "default", "colour=red"), "colour"),
        (("set", "default", "allowed_countries=USA"), "USA"),
        (("set", "default", "guest_checkout=maybe"), "guest_checkout"),
        (("set", "default", "payment_methods=gold"), "payment_methods"),
        (("set", "default", "currency"), "KEY=VALUE"),
        (("set", "default", "code=other"), "KEY=VALUE"),
        (("set", "nowhere", "currency=USD"), "nowhere"),
        (("add", "default"), "exists"),
        (("add", "Not A Code"), "code"),
    ],
)
def test_a_wrong_store_setting_is_a_clear_error_and_changes_nothing(
    data_dir: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    before = open_store(load_settings(data_dir)).stores.all()
    assert_one_line_error(run("store", *arguments), complaint)
    assert open_store(load_settings(data_dir)).stores.all() == before


def test_carts_are_imported_and_shown(data_dir: Path, catalog: Path, tmp_path: Path) -> None:
    file = tmp_path / "carts.json"
    file.write_text(f"[{cart('one').model_dump_json()}]")
    assert run("cart", "import", str(file)).exit_code == 0
    file.write_text(cart("two").model_dump_json())
    assert run("cart", "import", str(file)).exit_code == 0
    shown = run("show", "one").output
    assert "active" in shown
    assert "1 x apple" in shown
    assert_one_line_error(run("show", "nothing"), "nothing")


@pytest.mark.parametrize(
    ("status", "told"),
    [(OrderStatus.PENDING, "not captured"), (OrderStatus.PROCESSING, "captured")],
)
def test_an_order_is_shown_with_its_tax_and_what_became_of_its_payment(
    status: OrderStatus, told: str
) -> None:
    page, nothing, tax = StringIO(), Money.zero("USD"), Money.parse("2.47", "USD")
    order = Order(
        number="000000001",
        cart_id="cart",
        store_code="default",
        customer_id=None,
        email=None,
        status=status,
        lines=(),
        shipping_address=None,
        billing_address=TEXAS,
        shipping_method=None,
        payment_method="sandbox",
        purchase_order_number="",
        payment_id="PAY-1",
        totals=Totals(
            subtotal=nothing,
            shipping=nothing,
            line_taxes=(),
            shipping_tax=nothing,
            tax=tax,
            grand_total=tax,
        ),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    print_order(Console(file=page, width=120), order)
    assert re.search(r"tax +│ +│ +│ +2\.47 USD", page.getvalue())
    assert f"payment PAY-1: {told}\n" in page.getvalue()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "JSON"),
        ("[{}]", "id"),
        ("not json", "JSON"),
        (cart("one", ("unknown", 1)).model_dump_json(), "unknown"),
        (cart("one", store_code="nowhere").model_dump_json(), "nowhere"),
        (cart("one").model_dump_json().replace('"quantity":1', '"quantity":0'), "quantity"),
        (cart("one").model_dump_json().replace('"quantity":1', '"quantity":-1'), "quantity"),
        (cart("one").model_dump_json().replace('"id":"one"', '"id":"' + "x" * 10_000 + '"'), "id"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_bad_cart_is_a_clear_error_and_is_not_saved(
    data_dir: Path, catalog: Path, tmp_path: Path, content: str, complaint: str
) -> None:
    file = tmp_path / "carts.json"
    file.write_text(content)
    assert_one_line_error(run("cart", "import", str(file)), complaint)
    assert open_store(load_settings(data_dir)).audit.run().counts["carts"] == 0


@pytest.fixture
def gateway(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    made = Gateway()
    monkeypatch.setenv("CHECKOUT_GATEWAY_URL", made.url)
    monkeypatch.setenv("CHECKOUT_GATEWAY_KEY", made.key)
    yield made
    made.close()


def test_a_sandbox_payment_is_made_for_a_cart_and_its_shopper_acts(
    gateway: Gateway, catalog: Path, tmp_path: Path
) -> None:
    file = tmp_path / "carts.json"
    file.write_text(cart("one").model_dump_json())
    run("cart", "import", str(file))
    payment_id = run("sandbox", "pay", "one", "6.29", "--no-approve").output.strip()
    payment = gateway.payment(payment_id)
    assert (payment.cart_id, payment.amount_minor, payment.currency) == ("one", 629, "USD")
    assert payment.status is PaymentStatus.CREATED
    assert "approved" in run("sandbox", "shopper", payment_id, "approve").output
    assert gateway.payment(payment_id).status is PaymentStatus.APPROVED
    named = run("sandbox", "pay", "one", "6.29", "--id", "PAY-1", "--script", "declined")
    assert named.output.strip() == "PAY-1"
    assert_one_line_error(run("sandbox", "pay", "one", "6.29", "--id", "PAY-1"), "409")
    assert_one_line_error(run("sandbox", "shopper", payment_id, "authenticate"), "409")
    assert_one_line_error(run("sandbox", "pay", "one", "6.299"), "decimals")
    assert_one_line_error(run("sandbox", "pay", "two", "6.29"), "two")
    assert "timeout_with_effect" in run("sandbox", "scripts").output


def test_a_payment_is_acted_on_by_hand(gateway: Gateway, data_dir: Path) -> None:
    due = Money.parse("9.99", "USD")
    payment = gateway.pay("cart", due, status=PaymentStatus.AUTHORIZED, script="capture_declined")
    assert "capture done" in run("sandbox", "operate", payment, "capture").output
    assert_one_line_error(run("sandbox", "operate", payment, "void"), "invalid")
    assert "refund done" in run("sandbox", "operate", payment, "refund").output
    assert gateway.payment(payment).refunded_minor == 999
    assert_one_line_error(run("sandbox", "operate", "unknown", "void"), "unknown")


def test_the_ledger_is_held_against_the_orders(gateway: Gateway, data_dir: Path) -> None:
    assert run("sandbox", "ledger").exit_code == 0
    gateway.pay("nobodys-cart", Money.parse("9.99", "USD"), status=PaymentStatus.CAPTURED)
    wrong = run("sandbox", "ledger")
    assert wrong.exit_code == 1
    assert "999 captured, 0 refunded" in wrong.output


def test_a_gateway_that_is_not_there_is_a_clear_error(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKOUT_GATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    assert_one_line_error(run("sandbox", "ledger"), "did not answer")


def test_the_audit_says_what_is_wrong_and_exits_with_one(data_dir: Path, catalog: Path) -> None:
    clean = json.loads(run("audit", "--json").output)
    assert clean["clean"] is True
    assert clean["counts"]["units_on_hand"] == 10
    with open_store(load_settings(data_dir)).database.transaction() as tx:
        tx.execute(text("UPDATE stock SET on_hand = 9 WHERE sku = 'apple'"))
    result = run("audit", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["violations"][0]["examples"] == ["apple"]
    assert "apple" in run("audit").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit",),
        ("show", "x"),
        ("store", "list"),
        ("catalog", "import", "x.csv"),
    ],
)
def test_without_data_every_command_says_where_it_looked(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = run(*arguments, "--data-dir", str(tmp_path / "nowhere"))
    assert_one_line_error(result, "nowhere", "checkout dev")


def test_a_database_that_cannot_be_reached_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    for arguments in (("audit",), ("migrate",), ("store", "list")):
        result = run(*arguments, "--data-dir", str(tmp_path / "data"))
        assert_one_line_error(result, "does not answer")
        assert "secret" not in result.output


def test_a_database_url_that_cannot_be_read_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", "postgresql://user:p@ss:canary/x@db/shop")
    for arguments in (("audit",), ("migrate",), ("store", "list")):
        result = run(*arguments, "--data-dir", str(tmp_path / "data"))
        assert_one_line_error(result, "CHECKOUT_DATABASE_URL")
        assert "canary" not in result.output


@pytest.mark.parametrize("which", ["--temporal-port", "--ui-port", "--gateway-port"])
@pytest.mark.parametrize("command", ["dev", "demo"])
def test_a_port_in_use_is_a_clear_error(tmp_path: Path, command: str, which: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        options = ("--temporal-port", "--ui-port", "--api-port", "--gateway-port")
        free = map(str, free_ports(len(options)))
        ports = {**dict(zip(options, free, strict=True)), which: port}
        words = [word for option in ports.items() for word in option]
        result = run(command, "--data-dir", str(tmp_path), *words)
    assert_one_line_error(result, port, "in use")


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("migrate", "--data-dir", str(tmp_path / "file" / "below"))
    assert_one_line_error(result, "cannot use")


def test_a_wrong_setting_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKOUT_HOLD_TTL_S", "soon")
    result = run("migrate", "--data-dir", str(tmp_path))
    assert_one_line_error(result, "CHECKOUT_HOLD_TTL_S: ")
    assert "setting" not in result.stderr
