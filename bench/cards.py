"""What the search for card numbers costs as texts grow: twice the text, twice the time.

Run: ``python -m bench.cards``.
"""

import time

from commerce.domain.cards import holds_card_number

CHARS = 128 * 1024
ROUNDS = 3
PARTS = ("4 ", "4", "4-", "41", "4" * 13 + "x", "4" * 12 + " ", "f1" * 12 + " ", "a", "+", "60 ")
"""What a text is made of; each is hard for a search of its own kind."""


def _seconds(text: str) -> float:
    """The fastest of some rounds."""
    seconds: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        holds_card_number(text)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    """Print both times and their ratio, a line each part."""
    for part in PARTS:
        text = part * (CHARS // len(part))
        once, twice = _seconds(text), _seconds(text * 2)
        print(
            f"{part[:16]!r:20} {once * 1000:7.1f} ms   {twice * 1000:7.1f} ms   {twice / once:.2f}"
        )


if __name__ == "__main__":
    main()
