"""The commands ``checkout codec``: the keys that payloads are encrypted with."""

import os
from pathlib import Path

import click

from cli.common import console, data_dir_option
from cli.data_dir import CODEC_KEYS, find_running, load_codec, owned
from cli.errors import CliError
from commerce.adapters.codec import PLAIN, VARIABLE, PayloadEncryption


@click.group()
def codec() -> None:
    """Keys that everything in Temporal's histories is encrypted with."""


@codec.command("keys")
@data_dir_option
def keys(data_dir: Path) -> None:
    """List the ids of the keys, never the keys."""
    for n, name in enumerate(load_codec(data_dir).ids):
        reads = "reads what is not encrypted" if name == PLAIN else "decrypts"
        writes = "and encrypts nothing" if name == PLAIN else "and encrypts"
        console.print(f"{name}: {reads}{'' if n else f', {writes}'}", soft_wrap=True)


@codec.command("rotate")
@data_dir_option
def rotate(data_dir: Path) -> None:
    """Make a fresh key.

    Where CHECKOUT_CODEC_KEYS is set, the key is printed, and what to do with it: it must be known
    everywhere before it encrypts anything. Otherwise it goes to the front of codec.keys in the data
    directory, for the next start of `checkout dev`; while one runs there, nothing is done.
    """
    name = _next_id(load_codec(data_dir).ids)
    new = PayloadEncryption.new_key(name)
    if os.environ.get(VARIABLE):
        click.echo(new)
        click.echo(_ROLL_OUT.format(variable=VARIABLE, name=name), err=True)
        return
    if find_running(data_dir):  # an operator's act under a key that its worker lacks stops a run
        raise CliError("a checkout dev runs on the data: stop it first; it reads keys at its start")
    file = data_dir / CODEC_KEYS
    with owned(data_dir):  # nor may one be about to start
        _replace(file, f"{new},{file.read_text().strip()}")
    console.print(f"key {name} encrypts from the next start on", soft_wrap=True)
    console.print(f"every older key in {file} still decrypts", soft_wrap=True)


_ROLL_OUT = """\
1. Append it to {variable} of every worker, GraphQL server and client: key {name} decrypts.
2. When all of them run with it, move it to the front: key {name} encrypts.
3. Remove the old key once no history is left that it encrypted: after the namespace's retention,
   and when the runs that are older than step 2 have ended."""


def _next_id(ids: tuple[str, ...]) -> str:
    return str(1 + max((int(each) for each in ids if each.isdecimal()), default=0))


def _replace(file: Path, text: str) -> None:
    """Write the file anew, readable by its owner only; nobody ever sees half of it."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
    new.replace(file)
