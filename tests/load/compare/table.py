"""Makes docs/results/load.md of the lines that `run.py` wrote."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAD = """# Load

The same participants (`xmppconf load`'s: ICE, DTLS-SRTP with AES-GCM-128, receiver
reports, transport-cc feedback where the server asks for it) on our bridge and on other
servers, made by `script/compare`. Ours asks for feedback, numbers and paces, and has RTX,
as with browsers; only, it sends what was asked for though less were estimated, and takes
no pictures away while another server uses its core. The picture of 4,000 packets/s and
1100 octets (35 Mbit/s) is wider than any line is taken for: its receivers report nothing,
so it is not paced. SSRCs are those of the senders, not rewritten. All servers and their
participants stay connected and take turns of a few seconds; each number is the median of
the turns, on a virtual machine whose server
core is shared with whatever else it does. The servers have one core, the load generator
the other. CPU is that of the process that carries packets, with the kernel's work for it,
which on loopback includes delivery into the receivers' sockets: "us a packet" is CPU
seconds per million packets that arrived. The added delay is from before the sender's
system call until the kernel has the packet at the receiver's socket. Memory is what the
process grew by for each participant, before the first packet was sent until after the
first turn.
Galène and Jitsi Videobridge are built from their sources; the latter, which runs on a
JVM, has carried packets for half a minute before. Older figures of more servers and
smaller packets, without feedback to our bridge: [load-no-feedback](load-no-feedback.md).
"""


def table(lines: list[dict[str, Any]]) -> str:
    """The page; lines of the same load and server are turns."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for line in lines:
        groups.setdefault(line["load"], {}).setdefault(line["server"], []).append(line)
    parts = [HEAD]
    for load, servers in groups.items():
        parts += [
            f"\n## {load}\n",
            "| server | packets/s | loss | delay p50 | p99 | CPU of a core | us a packet"
            " | memory each | tracks |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for server, turns in servers.items():

            def middle(key: str, turns: list[dict[str, Any]] = turns) -> float:
                return float(statistics.median(turn[key] for turn in turns))

            first = turns[0]
            cells: list[str] = [
                server,
                f"{middle('packets_per_second'):,.0f}",
                f"{middle('loss'):.2%}",
                f"{middle('delay_p50_us') / 1e3:.2f} ms",
                f"{middle('delay_p99_us') / 1e3:.2f} ms",
                f"{middle('cpu_share'):.0%}",
                f"{middle('cpu_us_per_packet'):.2f}{_ratio(servers, server, middle)}",
                f"{first['memory_per_participant'] / 1e6:.2f} MB",
                f"{min(t['tracks_received'] for t in turns)} of {first['tracks_expected']}",
            ]
            parts.append("| " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def _ratio(
    servers: dict[str, list[dict[str, Any]]], server: str, middle: Callable[[str], float]
) -> str:
    """How much that is of our own cost, for the others."""
    own = servers.get("xmppconf")
    if own is None or server.startswith("xmppconf"):
        return ""
    ours = statistics.median(turn["cpu_us_per_packet"] for turn in own)
    return f" ({middle('cpu_us_per_packet') / ours:.1f} times ours)"


def main(path: Path) -> int:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    print(table(lines), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
