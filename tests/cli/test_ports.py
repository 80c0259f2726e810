"""Are ports that are found for several servers at once not the same?"""

from cli.ports import free_ports


def test_ports_that_are_found_together_are_not_the_same() -> None:
    found = free_ports(500)
    assert len(set(found)) == 500
