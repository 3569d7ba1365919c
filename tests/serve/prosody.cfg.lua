-- Written by `xmppconf serve` at every start; changes are lost.
data_path = "/state/prosody/data"
umask = "077"
log = { { ["to"] = "console", ["levels"] = { ["min"] = "warn" } } }
admins = {  }
modules_enabled = { "disco", "ping", "saslauth", "smacks", "limits", "bosh", "websocket" }
modules_disabled = { "offline", "s2s", "s2s_auth_certs" }
default_storage = "internal"
c2s_interfaces = { "127.0.0.1" }
c2s_ports = { 1 }
c2s_direct_tls_ports = {  }
component_interfaces = { "127.0.0.1" }
component_ports = { 2 }
http_interfaces = { "127.0.0.1" }
http_ports = { 3 }
https_ports = {  }
http_default_host = "meet.example"
http_paths = { ["bosh"] = "/http-bind", ["websocket"] = "/xmpp-websocket" }
http_max_content_size = 524288
consider_websocket_secure = true
consider_bosh_secure = true
network_settings = { ["nagle"] = false, ["opportunistic_writes"] = true }
c2s_require_encryption = false
c2s_timeout = 30
c2s_stanza_size_limit = 262144
s2s_stanza_size_limit = 262144
component_stanza_size_limit = 2097152
smacks_hibernation_time = 60
smacks_max_queue_size = 500
limits = { ["c2s"] = { ["rate"] = "256kb/s", ["burst"] = "4s" }, ["s2sin"] = { ["rate"] = "1mb/s", ["burst"] = "4s" } }
unlimited_jids = { "bridge-1@auth.meet.example" }

VirtualHost "meet.example"
  authentication = "internal_hashed"
  allow_registration = false
  modules_enabled = { "roster", "blocklist", "carbons", "pep", "external_services" }
  disco_items = { { "muc.meet.example", "Conferences" } }

VirtualHost "guest.meet.example"
  authentication = "anonymous"
  storage = "memory"

VirtualHost "auth.meet.example"
  authentication = "internal_hashed"
  modules_disabled = { "bosh", "websocket", "offline", "smacks" }

-- Only the focus opens rooms, so it is there before anybody else is.
Component "muc.meet.example" "muc"
  name = "Conferences"
  admins = { "focus@focus.meet.example" }
  storage = "memory"
  restrict_room_creation = true
  muc_room_locking = false
  muc_tombstones = false
  muc_room_default_public = false
  muc_room_default_public_jids = true
  muc_room_default_persistent = false
  muc_room_allow_persistent = false
  muc_room_default_history_length = 0
  max_history_messages = 0
  muc_room_cache_size = 1100
  muc_room_default_members_only = false
  muc_room_default_change_subject = false

-- Focus and bridge own every room here, whoever is first; no one else gets in.
Component "internal.meet.example" "muc"
  name = "Bridges"
  admins = { "focus@focus.meet.example", "bridge-1@auth.meet.example" }
  storage = "memory"
  restrict_room_creation = true
  muc_room_locking = false
  muc_tombstones = false
  muc_room_default_public = false
  muc_room_default_public_jids = true
  muc_room_default_persistent = false
  muc_room_allow_persistent = false
  muc_room_default_history_length = 0
  max_history_messages = 0
  muc_room_default_members_only = true

Component "focus.meet.example"
  component_secret = "component-secret"
