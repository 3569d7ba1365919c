from __future__ import annotations

import pytest
from xmppconf_bridge.addresses import candidates, usable

from xmppconf.errors import SettingsError


def test_all_addresses_but_link_local_ones_loopback_last() -> None:
    found = ["127.0.0.1", "::1", "10.1.2.3", "fe80::1", "8.8.4.4", "169.254.1.1"]
    assert usable(found, ()) == ("8.8.4.4", "10.1.2.3", "127.0.0.1", "::1")


def test_configured_addresses_are_taken_as_they_are() -> None:
    assert usable(["10.1.2.3"], ("127.0.0.1",)) == ("127.0.0.1",)
    with pytest.raises(SettingsError, match=r"bridge\.udp_addresses"):
        usable([], ("meet.example",))


def test_an_unspecified_address_stands_for_all_of_its_family() -> None:
    found = ["127.0.0.1", "::1", "10.1.2.3", "2001:db8::7", "fe80::1"]
    assert usable(found, ("0.0.0.0",)) == ("10.1.2.3", "127.0.0.1")  # noqa: S104 - the point
    assert usable(found, ("::",)) == ("2001:db8::7", "::1")
    assert usable(found, ("10.1.2.3", "0.0.0.0")) == ("10.1.2.3", "127.0.0.1")  # noqa: S104 - the point


def test_earlier_addresses_are_preferred() -> None:
    first, second = candidates([("10.1.2.3", 10000), ("127.0.0.1", 10000)], ())
    assert (first.type, first.priority >> 24) == ("host", 126)
    assert first.priority > second.priority
    assert first.foundation != second.foundation
    assert first.id != second.id


def test_a_public_address_is_reflexive_on_the_outward_socket() -> None:
    bound = [("127.0.0.1", 9), ("10.1.2.3", 10000), ("fd00::1", 10000)]
    *hosts, public = candidates(bound, ("203.0.113.7", "10.1.2.3"))
    assert len(hosts) == 3
    assert (public.type, public.ip, public.port) == ("srflx", "203.0.113.7", 10000)
    assert (public.rel_addr, public.rel_port) == ("10.1.2.3", 10000)
    assert public.priority < min(host.priority for host in hosts)


def test_a_public_address_without_socket_of_its_family_is_left_out() -> None:
    assert len(candidates([("10.1.2.3", 10000)], ("2001:db8::7",))) == 1
