"""Ports that are taken, folders that are in use."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from xmppconf.config import Settings
from xmppconf.config_file import parse
from xmppconf.errors import SettingsError
from xmppconf.serve.app import check_machine, complete
from xmppconf.serve.ports import check_tcp, check_udp, free_ports
from xmppconf.serve.state import InUse, StateFolder, default_folder, write_private


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        check_tcp("127.0.0.1", port, "x.port")


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_taken_tcp_port_is_named_with_its_setting(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SettingsError, match=rf"TCP port {port} is taken .* set web\.port"
        ):
            check_tcp(host, port, "web.port")


def test_a_taken_udp_port_is_found_whatever_address_has_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.3", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"UDP port {port} is taken"):
            check_udp("", port, "bridge.udp_port")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"web": {"port": 0}}, r"web\.port: must be between 1"),
        ({"bridge": {"udp_port": 0}}, r"bridge\.udp_port: must be between 1"),
        ({"bridge": {"udp_addresses": ["192.0.2.1"]}}, r"set bridge\.udp_addresses"),
        (
            {"web": {"tls_certificate": "/none.pem", "tls_key": "/none.pem"}},
            r"web\.tls_certificate: /none\.pem: No such file",
        ),
        (
            {"web": {"tls_certificate": __file__, "tls_key": __file__}},
            r"is no PEM chain that fits the key",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    table: dict[str, dict[str, object]], sentence: str
) -> None:
    web, udp = free_ports(2)
    whole = {
        "web": {"port": web, **table.get("web", {})},
        "bridge": {"udp_port": udp, **table.get("bridge", {})},
    }
    with pytest.raises(SettingsError, match=sentence):
        check_machine(parse(whole))


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(SettingsError, match=r"no address 192\.0\.2\.1; set web\.host"):
        check_tcp("192.0.2.1", 0, "web.port")


def test_serve_refuses_before_anything_is_written(tmp_path: Path) -> None:
    from xmppconf.serve.app import main

    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = parse({"web": {"port": taken.getsockname()[1]}})
        state = tmp_path / "state"
        with pytest.raises(SettingsError, match="is taken"):
            main(settings, state)
        assert not state.exists()


def test_serve_refuses_without_prosody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SettingsError, match="Prosody is not installed"):
        check_machine(Settings())


def test_an_own_server_needs_its_ports_and_secrets() -> None:
    web, udp = free_ports(2)
    table = {"web": {"port": web}, "bridge": {"udp_port": udp}, "xmpp": {"private": False}}
    with pytest.raises(SettingsError, match=r"xmpp\.client_port: needed"):
        check_machine(parse(table))


def test_every_start_has_its_own_secrets_and_ports() -> None:
    one, two = complete(Settings()), complete(Settings())
    assert len(one.focus.component_secret) >= 32
    assert one.focus.component_secret != two.focus.component_secret
    assert one.bridge.password not in (two.bridge.password, one.focus.component_secret)
    assert one.web.bridges == {"bridge-1": f"http://127.0.0.1:{one.bridge.http_port}"}
    assert one.bridge.websocket_base == "ws://localhost:8080"


def test_one_service_a_folder(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "a" / "state")
    try:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        with pytest.raises(InUse, match="another xmppconf serve runs on"):
            StateFolder(folder.path)
    finally:
        folder.close()
    StateFolder(folder.path).close()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"):
        StateFolder(tmp_path / "file" / "state")


def test_private_files_are_private_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_default_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert default_folder() == Path("/x/xmppconf")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert default_folder() == Path.home() / ".local/state/xmppconf"
