"""A slapd of one's own in a folder, with two people in it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificate import make_certificate
from xmppconf.serve.ports import free_ports

SLAPD = "/usr/sbin/slapd"
START_TIMEOUT = 10.0  # seconds

CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
TLSCertificateFile {tls_certificate}
TLSCertificateKeyFile {tls_key}
database mdb
suffix "dc=example"
directory {folder}/data
rootdn "cn=admin,dc=example"
rootpw admin-password
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""

PEOPLE = """
dn: dc=example
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example
objectClass: organizationalUnit
ou: people

dn: uid=ann,ou=people,dc=example
objectClass: inetOrgPerson
uid: ann
cn: Ann Ägäis
sn: A
userPassword: correct horse

dn: uid=odd\\, name,ou=people,dc=example
objectClass: inetOrgPerson
uid: odd, name
cn: Odd
sn: O
userPassword: battery staple
"""


@dataclass(frozen=True, slots=True)
class Directory:
    url: str
    tls_url: str
    ca_file: str

    def run(self, *command: str, text: str = "") -> None:
        """One of OpenLDAP's tools, as the administrator."""
        subprocess.run(  # noqa: S603
            [
                *(command[0], "-x", "-H", self.url, "-D", "cn=admin,dc=example"),
                *("-w", "admin-password", *command[1:]),
            ],
            input=text.encode(),
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def running_slapd() -> Iterator[Directory]:
    assert Path(SLAPD).exists(), "slapd is missing: run script/bootstrap --dev"
    with tempfile.TemporaryDirectory(prefix="xmppconf-ldap-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        certificate = make_certificate(folder, "localhost")
        configuration = folder / "slapd.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, **certificate))
        plain, tls = free_ports(2)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                [
                    *(SLAPD, "-f", str(configuration), "-d", "0"),
                    *("-h", f"ldap://localhost:{plain} ldaps://localhost:{tls}"),
                ],
                stdout=log,
                stderr=log,
            )
        try:
            directory = Directory(
                f"ldap://localhost:{plain}",
                f"ldaps://localhost:{tls}",
                certificate["tls_certificate"],
            )
            _wait_for(plain, process, folder / "log")
            directory.run("ldapadd", text=PEOPLE)
            yield directory
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"slapd did not start: {log.read_text()}") from None
            time.sleep(0.02)
