"""The network of a test that has one of its own: `script/narrow` gives it a namespace."""

from __future__ import annotations

import os
import subprocess

import pytest

#: For tests that change the network.
own_network = pytest.mark.skipif(
    "OWN_NETWORK" not in os.environ, reason="run by script/narrow, in a namespace"
)


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)  # noqa: S603


def add_interface(*addresses: str) -> None:
    """An interface besides loopback, called `nowhere`, with a peer that answers nothing."""
    run("ip link add nowhere type veth peer name behind")
    for address in addresses:
        more = "nodad" if ":" in address else ""
        run(f"ip address add {address} dev nowhere {more}")
    run("ip link set nowhere up arp off")
    run("ip link set behind up")
