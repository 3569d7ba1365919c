"""What the doctor finds, and that each fault comes with a fix."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from tests.support.certificate import make_certificate
from xmppconf.config_file import parse
from xmppconf.serve.doctor import (
    Finding,
    Verdict,
    advertised_address,
    certificate,
    examine,
    media_arrives,
    received_packets,
    server_reachable,
    state_folder,
)
from xmppconf.serve.ports import free_ports


@pytest.mark.parametrize(
    ("name", "days", "verdict", "word"),
    [
        ("meet.example", 60, Verdict.GOOD, "good for"),
        ("*.example", 60, Verdict.GOOD, "good for"),
        ("meet.example", 5, Verdict.WARNING, "ends in"),
        ("meet.example", -1, Verdict.FAULT, "expired"),
        ("other.example", 60, Verdict.FAULT, "not for meet.example"),
    ],
)
def test_certificates(
    tmp_path: Path, name: str, days: float, verdict: Verdict, word: str
) -> None:
    web = make_certificate(tmp_path, name, days)
    [found] = certificate(parse({"domain": "meet.example", "web": web}))
    assert found.verdict is verdict
    assert word in found.what


def test_a_key_that_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    web = make_certificate(tmp_path, "a.example", 60)
    other = make_certificate(tmp_path / "b", "a.example", 60)
    web["tls_key"] = other["tls_key"]
    [found] = certificate(parse({"domain": "a.example", "web": web}))
    assert found.verdict is Verdict.FAULT
    assert found.fix


def test_no_tls_matters_only_away_from_localhost() -> None:
    assert list(certificate(parse({}))) == []
    [found] = certificate(parse({"domain": "meet.example"}))
    assert found.verdict is Verdict.FAULT


def test_media_is_seen_to_arrive() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bridge:
        bridge.bind(("127.0.0.1", 0))
        bridge.setblocking(False)
        count = 0.0

        def received() -> float:
            nonlocal count
            with contextlib.suppress(BlockingIOError):
                assert bridge.recv(1500)[:8] == bytes.fromhex("000100002112a442")
                count += 1
            return count

        assert media_arrives(bridge.getsockname()[1], received).verdict is Verdict.GOOD


def test_a_silent_port_and_a_closed_server_are_found() -> None:
    tcp, udp = free_ports(2)
    assert media_arrives(udp, lambda: 7.0).verdict is Verdict.FAULT
    settings = parse(
        {
            "xmpp": {"component_port": tcp, "client_port": tcp, "http_port": tcp},
            "bridge": {"http_port": tcp},
        }
    )
    assert received_packets(settings) is None
    assert media_arrives(udp, lambda: received_packets(settings)).verdict is Verdict.FAULT
    found = server_reachable(settings)
    assert found.verdict is Verdict.FAULT
    assert "xmpp.component_port" in found.fix


def test_an_open_state_folder_is_a_fault(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert state_folder(tmp_path) == Finding(
        Verdict.FAULT, f"others may enter {tmp_path}", f"chmod 700 {tmp_path}"
    )
    tmp_path.chmod(0o700)
    assert state_folder(tmp_path).verdict is Verdict.GOOD
    assert state_folder(tmp_path / "not" / "yet").verdict is Verdict.GOOD


def test_localhost_is_for_nobody_else() -> None:
    assert advertised_address(parse({})).verdict is Verdict.WARNING


def test_every_fault_names_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        table = {
            "web": {"port": tcp.getsockname()[1]},
            "bridge": {"udp_port": udp.getsockname()[1]},
        }
        found = list(examine(parse(table), tmp_path))
    faults = [finding for finding in found if finding.verdict is Verdict.FAULT]
    assert len(faults) >= 3
    assert all(finding.fix for finding in faults)
    assert all(len(str(finding).splitlines()) == 1 for finding in found)
