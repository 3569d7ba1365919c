"""Settings: one optional TOML file, every key with a default, a type and a sentence.

A section is a frozen dataclass; the string under a field is its documentation and ends up
in `docs/reference/settings.md`.  A field marked `SECRET` is never printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Environment variable that names two inherited descriptors, separated by a comma: memory
#: in which a focus records its running conferences for the next.
FOCUS_RECORDS = "XMPPCONF_FOCUS_RECORDS"

#: Field metadata of settings that `xmppconf config` must not print; `repr` must not either.
SECRET: dict[str, Any] = {"secret": True}


@dataclass(frozen=True, kw_only=True)
class XmppSettings:
    """The XMPP server.  With `private` it is our own child process."""

    private: bool = True
    """Run a private Prosody; false: use the server named below."""
    host: str = "127.0.0.1"
    """Where the server listens for the component, bridges and the gateway."""
    client_port: int = 0
    """c2s port for the bridge's account; 0 picks a free one (private server only)."""
    component_port: int = 0
    """XEP-0114 port for the focus; 0 picks a free one (private server only)."""
    http_port: int = 0
    """Port of BOSH and WebSocket; 0 picks a free one (private server only)."""
    server_port: int = 0
    """s2s port for federation; 0 switches federation off."""
    more_bridges: dict[str, str] = field(default_factory=dict, repr=False, metadata=SECRET)
    """Bridges besides our own that the private server lets in: id to password."""
    websocket_path: str = "/xmpp-websocket"
    """Path of the server's WebSocket (RFC 7395)."""
    bosh_path: str = "/http-bind"
    """Path of the server's BOSH (XEP-0124)."""
    members_domain: str = ""
    """Host of accounts; empty: the domain."""
    guests_domain: str = ""
    """Host of anonymous logins; empty: guest.<domain>."""
    rooms_domain: str = ""
    """MUC host of conference rooms; empty: muc.<domain>."""
    internal_domain: str = ""
    """MUC host of the brewery; empty: internal.<domain>."""
    accounts_domain: str = ""
    """Host of the bridges' accounts; empty: auth.<domain>."""
    focus_domain: str = ""
    """The focus's component; empty: focus.<domain>."""
    services_domain: str = ""
    """Host that clients ask which services rooms have, such as polls, where a server's own
    modules are them; empty: the focus, which is all of them."""
    verify_certificate: bool = True
    """Check the server's certificate on c2s; not needed over loopback."""


@dataclass(frozen=True, kw_only=True)
class FocusSettings:
    """The conference focus."""

    component_secret: str = field(default="", metadata=SECRET, repr=False)
    """The component's shared secret (XEP-0114); empty: made at random by `serve`."""
    account: str = ""
    """Account (user@host) to log in with where there is no component; clients then write to
    it.  There is no lobby without a component.  Empty: a component."""
    password: str = field(default="", metadata=SECRET, repr=False)
    """Password of that account; empty: made at random by `serve`."""
    client_proxy: str = ""
    """Component that passes clients' requests on to that account (stock set-ups have one);
    its subscription is accepted.  Empty: none."""
    http_host: str = "127.0.0.1"
    """Address of conference requests over HTTP, health and metrics."""
    http_port: int = 0
    """Its port; 0 picks a free one."""
    admin_token: str = field(default="", metadata=SECRET, repr=False)
    """Who shows it may list rooms, end and lock them; empty: nobody, `serve` makes one."""
    brewery: str = "jvbbrewery"
    """Room on the internal MUC host where bridges announce themselves."""
    recorder_brewery: str = ""
    """The same for recorders, such as `jibribrewery`; empty: there are none."""
    phone_brewery: str = ""
    """The same for phone gateways, such as `jigasibrewery`; empty: there are none."""
    initial_timeout: float = 15.0
    """Seconds an empty new conference is kept."""
    single_participant_timeout: float = 20.0
    """Seconds after which the last participant's session is ended."""
    codecs: tuple[str, ...] = ("vp8", "vp9", "av1", "h264")
    """Video codecs offered, in this order."""
    red: bool = False
    """Send sound twice (RFC 2198) where clients can, against losses; that costs twice."""
    ssrc_rewriting: bool = True
    """Let the bridge rewrite SSRCs for clients that can follow."""
    data_channel: bool = True
    """Offer the bridge channel over SCTP beside the WebSocket."""
    max_sources_per_endpoint: int = 20
    """SSRCs and groups that one participant may announce."""
    max_audio_senders: int = 1000
    """Open microphones in one conference; who comes beyond that starts muted, and nobody
    can open one until another is closed."""
    max_video_senders: int = 1000
    """The same for those who show a camera or a screen."""
    max_participants: int = 300
    """Participants in one conference."""
    max_conferences: int = 1000
    """Conferences at the same time."""
    records: str = ""
    """File on a tmpfs, such as /run/xmppconf/focus, where running conferences are recorded
    (two files, .1 and .2), so that the next focus goes on with them after a crash; empty:
    every call is set up anew.  `serve` needs no file: it gives its focus memory."""
    bridge_strategy: str = "overload"
    """When a conference gets a further bridge: single (never), overload (when its own are
    full or overloaded), region (also for who is in another region), split (with each
    participant, for trying relays out)."""
    mixed_bridges: bool = False
    """Let bridges of different versions, or Jitsi Videobridge and ours, carry a conference
    together; false: only equal ones."""
    max_endpoints_per_bridge: int = 80
    """Participants of one conference on one bridge, as long as there is another."""
    overloaded: float = 0.8
    """Stress from which on a bridge is given more only in need."""
    refuse_stress: float = 1.0
    """Stress from which on, when it lasts, a bridge gets no new conferences; who opens a
    room while all are so busy is told to come back later.  0: everybody is let in."""
    region: str = ""
    """Region taken for participants whose clients name none."""
    region_groups: dict[str, str] = field(default_factory=dict)
    """Region to the name of a group of regions that are near to each other."""


@dataclass(frozen=True, kw_only=True)
class BridgeSettings:
    """A media bridge."""

    id: str = "bridge-1"
    """Account, brewery nickname and part of the WebSocket URL."""
    password: str = field(default="", metadata=SECRET, repr=False)
    """Password of the account; empty: made at random by `serve`."""
    brewery: str = "jvbbrewery"
    """Room on the internal MUC host to announce this bridge in."""
    focuses: tuple[str, ...] = ()
    """Addresses (user@host) that may command it besides the focus's component and
    focus@<accounts_domain>."""
    udp_port: int = 10000
    """The one port for media."""
    workers: int = 0
    """Threads for packets, at most 32; 0: one for each core that it may use."""
    people_per_worker: int = 64
    """Participants of one conference, and links to other bridges, that one thread carries,
    as long as it is not busy and there are others; a larger one is shared among threads."""
    udp_addresses: tuple[str, ...] = ()
    """Local addresses to use, `0.0.0.0` and `::` for all of their family; empty: all that
    are up, loopback included."""
    public_addresses: tuple[str, ...] = ()
    """Addresses to advertise besides, for a host behind NAT."""
    http_host: str = "127.0.0.1"
    """Address of the colibri WebSocket (behind the gateway), health and metrics."""
    http_port: int = 0
    """Its port; 0 picks a free one."""
    http_trusted: tuple[str, ...] = ("127.0.0.0/8", "::1")
    """Networks from which figures may be read and the bridge drained over HTTP, not through
    a proxy."""
    rest: bool = False
    """Let them command it as well: conferences as JSON (Colibri2) and shutdown."""
    packet_headers: bool = False
    """Let them see the headers of the packets of one endpoint, a minute at a time at most,
    without contents and audio levels; switch it off again when the fault is found."""
    drain: bool = False
    """Begin draining: the focus prefers other bridges until that is switched off."""
    websocket_base: str = ""
    """Public URL before `/colibri-ws`, such as wss://meet.example; empty: no WebSocket."""
    region: str = ""
    """Region announced to the focus."""
    relays: bool = True
    """Share conferences with other bridges when the focus says so."""
    relay_id: str = ""
    """What other bridges call this one; empty: the same as `id`."""
    max_endpoints: int = 500
    """Endpoints of all conferences together."""
    trust_bandwidth: bool = True
    """Send each receiver no more video than the estimate of its bandwidth allows."""
    last_n: int = -1
    """Video sources sent to one receiver at most; -1: as many as it asks for."""
    initial_last_n: int = -1
    """The same until the receiver itself, or the focus, names a number."""
    last_n_by_size: dict[str, int] = field(default_factory=dict)
    """The same in large conferences: number of video sources from which it holds to limit,
    such as { "30" = 15, "60" = 8 }."""
    assumed_bandwidth_limit: int = 0
    """Bits per second a receiver may say it has, whatever the estimate; 0: it may not."""
    oversend: int = 500_000
    """Bits per second by which a shared screen on stage may exceed the estimate, so that it
    is legible at once; 0: it may not."""
    reduce_load: bool = True
    """Send everybody fewer pictures while the bridge has more to do than it can."""
    loudest: int = 5
    """Of a conference's open microphones so many are heard, the loudest; 0: all."""


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """The web gateway."""

    host: str = ""
    """Address to listen on; empty: loopback for the domain localhost, otherwise all."""
    port: int = 8080
    """TCP port of pages, sockets and requests."""
    tls_certificate: str = ""
    """PEM file with the certificate chain; empty: plain HTTP."""
    tls_key: str = ""
    """PEM file with the private key."""
    public_url: str = ""
    """What people open; empty: made of domain, port and TLS."""
    focus_url: str = ""
    """Base URL of the focus's HTTP; set by `serve`."""
    bridges: dict[str, str] = field(default_factory=dict)
    """Bridge id to the base URL of its HTTP, for `/colibri-ws/<id>/`; set by `serve`."""
    origins: tuple[str, ...] = ()
    """Other sites (such as https://www.example) whose pages may open sockets here."""
    max_sockets: int = 10_000
    """WebSockets and held BOSH requests at the same time."""
    max_sockets_per_address: int = 500
    """The same from one IPv4 address or IPv6 /64 network; loopback (a proxy) is exempt."""
    max_requests_per_minute: int = 300
    """Conference requests from one such address; half a minute's worth may come at once."""
    max_sign_ins_per_minute: int = 10
    """Tries to sign in from one such address; half of them may come at once."""


@dataclass(frozen=True, kw_only=True)
class TurnSettings:
    """Ways to the media where UDP does not get through, and between two browsers."""

    relay: bool = True
    """The gateway carries media over its own TCP port (TURN) to browsers that UDP does not
    reach.  Not through a proxy that speaks HTTP."""
    relay_url: str = ""
    """How clients reach it, such as turns:meet.example:443?transport=tcp; empty: made of
    domain, port and TLS, and none if `web.public_url` says that a proxy does the TLS."""
    secret: str = field(default="", metadata=SECRET, repr=False)
    """What its credentials are made of; empty: made at random by `serve`, otherwise off."""
    bridges: tuple[str, ...] = ()
    """Media addresses with ports of further bridges that it may reach."""
    max_clients: int = 500
    """Clients it carries media for at the same time."""
    max_datagrams: int = 10_000
    """Datagrams a second that it carries for all of them; pages and sockets come first."""
    servers: tuple[str, ...] = ()
    """Other STUN and TURN servers, as URLs, that clients are told of."""
    servers_secret: str = field(default="", metadata=SECRET, repr=False)
    """The secret that those TURN servers share with us (coturn: `static-auth-secret`)."""
    lifetime: float = 14_400.0
    """Seconds in which credentials can be used to begin."""


@dataclass(frozen=True, kw_only=True)
class JwtSettings:
    """Members who come with a JSON Web Token (RFC 7519).  One of the four key sources."""

    secret: str = field(default="", metadata=SECRET, repr=False)
    """Shared secret for HS256, HS384, HS512; at least 32 characters."""
    key_file: str = ""
    """PEM file with a public key, for RS, PS or ES algorithms."""
    jwks_file: str = ""
    """File with a JWK set of public keys (RFC 7517)."""
    jwks_url: str = ""
    """URL of such a set; read when an unknown key id comes, at most once in 30 s."""
    algorithms: tuple[str, ...] = ("HS256", "RS256", "ES256")
    """Algorithms accepted; the key's kind decides which of them may be used with it."""
    issuer: str = ""
    """What `iss` must be; empty: anything."""
    audience: str = ""
    """What `aud` must be or contain; empty: anything."""
    any_room: bool = False
    """Accept tokens whose `room` is `*`; false: a token must name the one room."""
    login_url: str = ""
    """Page of yours that makes tokens, to which stock clients send people who have to
    sign in; `{room}` in it stands for the room's name.  Empty: none."""


@dataclass(frozen=True, kw_only=True)
class OidcSettings:
    """Members who log in at an OpenID Connect provider."""

    issuer: str = ""
    """The provider's URL; empty: off.  Its settings are read from there."""
    client_id: str = ""
    """This service's name at the provider."""
    client_secret: str = field(default="", metadata=SECRET, repr=False)
    """Its secret; empty for a public client."""
    label: str = "single sign-on"
    """What the sign-in page calls the provider."""
    scopes: tuple[str, ...] = ("openid", "profile")
    """Scopes asked for."""
    groups_claim: str = "groups"
    """Claim that lists a person's groups."""
    groups: tuple[str, ...] = ()
    """Groups whose people are members; empty: everybody who can log in."""
    moderator_groups: tuple[str, ...] = ()
    """Groups whose people are moderators; empty: every member."""


@dataclass(frozen=True, kw_only=True)
class LdapSettings:
    """Members of a directory: a bind with their password decides.  Needs xmppconf[ldap]."""

    url: str = ""
    """ldaps://, ldap:// or ldapi:// URL; empty: off."""
    start_tls: bool = True
    """Begin TLS on ldap://; without it passwords cross the network in the clear."""
    ca_file: str = ""
    """PEM file of the authority that signed its certificate; empty: the system's."""
    user_dn: str = ""
    """Where a user is, such as uid={user},ou=people,dc=example; empty: search."""
    base: str = ""
    """Where to search, such as ou=people,dc=example."""
    filter: str = "(uid={user})"
    """What to search for; must match one entry."""
    bind_dn: str = ""
    """Who searches; empty: nobody in particular."""
    bind_password: str = field(default="", metadata=SECRET, repr=False)
    """Its password."""
    name_attribute: str = "cn"
    """Attribute shown as the person's name."""


@dataclass(frozen=True, kw_only=True)
class SqlSettings:
    """Members in a database.  PostgreSQL needs `xmppconf[postgresql]`."""

    url: str = field(default="", metadata=SECRET, repr=False)
    """sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; empty: off."""
    query: str = ""
    """One query with `:user`.  Either it has `:password` too and gives a row if that is
    right, or its column `password` is an Argon2id hash.  Columns `name`, `moderator` and
    `expires` (seconds since 1970) are read if they are there."""


@dataclass(frozen=True, kw_only=True)
class HookSettings:
    """Members known to a program of yours, asked by HTTP."""

    url: str = ""
    """Where to POST `user` and `password` as JSON; empty: off."""
    secret: str = field(default="", metadata=SECRET, repr=False)
    """Sent along as a bearer token, so that it knows who asks."""


@dataclass(frozen=True, kw_only=True)
class MembersSettings:
    """Who may open rooms.  Guests come by link once a room is open."""

    open: bool = True
    """Anybody may open a room; false: only members, and guests wait for one."""
    accounts: bool = True
    """Accounts of the service's own domain are members."""
    domains: tuple[str, ...] = ()
    """Other XMPP domains whose accounts are members."""
    guest_domains: tuple[str, ...] = ()
    """Other XMPP domains whose accounts may come as guests; "*" stands for every one."""
    denied_domains: tuple[str, ...] = ()
    """XMPP domains whose accounts may not come at all."""
    file: str = ""
    """The list that `xmppconf member` writes; empty: members.json in the state folder."""
    session_key: str = field(default="", metadata=SECRET, repr=False)
    """Key of the sessions of who signed in; empty: made at random, so that a restart ends
    all sessions."""
    session_lifetime: float = 86400.0
    """Seconds after which one has to sign in again."""
    internal_hosts: tuple[str, ...] = ()
    """Hosts of login servers that may have private addresses, and be asked without TLS."""
    jwt: JwtSettings = field(default_factory=JwtSettings)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    ldap: LdapSettings = field(default_factory=LdapSettings)
    sql: SqlSettings = field(default_factory=SqlSettings)
    hook: HookSettings = field(default_factory=HookSettings)


@dataclass(frozen=True, kw_only=True)
class RoomsSettings:
    """Conference rooms and what is kept of them: settings, never content."""

    folder: str = ""
    """Folder for the settings of rooms in which nobody is; empty: they are forgotten.
    `serve` uses one in its state folder."""
    keep_days: float = 30.0
    """Days after the last change for which a room's settings are kept."""
    lobby_module: bool = False
    """The XMPP server has our module that shows stock clients the way to the lobby; the
    private one then loads it."""


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """Logging.  No level writes names, addresses, room names or message text."""

    level: str = "info"
    """debug, info, warning or error."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings; every part reads the same file."""

    domain: str = "localhost"
    """The service's name, as people type it and as XMPP knows it."""
    xmpp: XmppSettings = field(default_factory=XmppSettings)
    focus: FocusSettings = field(default_factory=FocusSettings)
    bridge: BridgeSettings = field(default_factory=BridgeSettings)
    web: WebSettings = field(default_factory=WebSettings)
    turn: TurnSettings = field(default_factory=TurnSettings)
    members: MembersSettings = field(default_factory=MembersSettings)
    rooms: RoomsSettings = field(default_factory=RoomsSettings)
    log: LogSettings = field(default_factory=LogSettings)
