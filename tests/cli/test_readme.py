"""Do the commands of the README work as they are printed?"""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commerce.adapters.codec import PayloadEncryption
from tests.dev import a_dev
from tests.programs import free_port

ROOT = Path(__file__).parents[2]
ORDER = re.compile(r'"(?:order_number|number)":"(\d{9})"')


def shell_blocks() -> list[str]:
    """The blocks that are typed while ``checkout dev`` runs."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [block for block in blocks if "checkout " in block or "curl " in block][1:]


async def test_the_commands_work_as_printed(tmp_path: Path) -> None:
    async with a_dev(tmp_path) as dev:
        said = ""
        for block in shell_blocks():
            block = block.replace("http://127.0.0.1:8000/graphql", dev.running.api_url)
            block = block.replace(". .venv/bin/activate\n", "")
            process = await asyncio.create_subprocess_exec(
                "bash", "-euo", "pipefail", "-c", block,
                cwd=ROOT,
                env={
                    **os.environ,
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "CHECKOUT_DATA_DIR": str(tmp_path),
                    "TEMPORAL_ADDRESS": dev.running.temporal_address,
                },
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output = (await process.communicate())[0].decode()
            assert process.returncode == 0, output
            said += output
    assert ORDER.findall(said) == ["000000001", "000000002"]
    assert '"errors":[{' not in said
    assert "order 000000003 over 63.10 USD" in said
    filled = json.loads((ROOT / "examples/fill-cart.json").read_text())
    assert filled["variables"]["cart"] == "CART_ID"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", "set CHECKOUT_CODEC_KEYS"),
        ("nonsense", "CHECKOUT_CODEC_KEYS"),
        (PayloadEncryption.new_key(), "TEMPORAL_ADDRESS"),
    ],
    ids=["no keys", "nonsense", "no server"],
)
def test_the_example_says_in_one_line_what_it_lacks(keys: str, told: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = subprocess.run(
        [sys.executable, "examples/place_order.py"],
        cwd=ROOT,
        env={**os.environ, "CHECKOUT_CODEC_KEYS": keys, "TEMPORAL_ADDRESS": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
    assert told in done.stderr
