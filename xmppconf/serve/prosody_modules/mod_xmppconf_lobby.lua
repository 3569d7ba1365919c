-- Shows stock Jitsi clients the way to the lobby, which the focus itself plays.
--
-- Load it on the rooms' host and set  xmppconf_focus = "focus.meet.example"  there; or to the
-- focus's account, which is no lobby: then it does the last of these things only.
-- Four things that only the server can do:
--   * the refusal of a join names the lobby,
--   * the room's disco#info names it too, so that moderators look in,
--   * who knows the room's password need not wait,
--   * the room's disco#info says when the meeting began, and of a breakout room that it is one.
-- SPDX-License-Identifier: AGPL-3.0-or-later

local jid = require "util.jid";
local st = require "util.stanza";

local focus = module:get_option_string("xmppconf_focus");
assert(focus, "xmppconf_focus is not set: the focus's component, such as focus.meet.example");
local has_lobby = not jid.node(focus);

local function lobby_of(room)
	return jid.join(jid.node(room.jid), focus);
end

local function may_enter(room, from)
	local affiliation = room:get_affiliation(from);
	return affiliation == "owner" or affiliation == "admin" or affiliation == "member";
end

-- Before the MUC's own check of members-only rooms, which has priority -5.
module:hook("muc-occupant-pre-join", function (event)
	local room, stanza, origin = event.room, event.stanza, event.origin;
	local from = stanza.attr.from;
	if not has_lobby or not room:get_members_only() or may_enter(room, from) then return; end
	if room:get_affiliation(from) == "outcast" then return; end

	local password = room:get_password();
	local join = stanza:get_child("x", "http://jabber.org/protocol/muc");
	local given = join and join:get_child_text("password", "http://jabber.org/protocol/muc");
	if password and given == password then
		room:set_affiliation(true, jid.bare(from), "member");
		-- The server has worked out the role of a stranger already.
		event.occupant.role = room:get_default_role("member");
		return;
	end

	local reply = st.error_reply(stanza, "auth", "registration-required", nil, room.jid);
	reply:tag("lobbyroom", { xmlns = "http://jitsi.org/jitmeet" }):text(lobby_of(room)):up();
	origin.send(reply);
	return true;
end, -4);

module:hook("muc-disco#info", function (event)
	if not has_lobby or not event.room:get_members_only() then return; end
	table.insert(event.form, { name = "muc#roominfo_lobbyroom", label = "Lobby", value = "" });
	event.formdata["muc#roominfo_lobbyroom"] = lobby_of(event.room);
end);

-- What the focus, and nobody else, tells in the room's form.
local told = {
	"muc#roominfo_created_timestamp",
	"muc#roominfo_isbreakout",
	"muc#roominfo_breakout_main_room",
};

module:hook("muc-config-form", function (event)
	if jid.host(event.actor) ~= focus and jid.bare(event.actor) ~= focus then return; end
	for _, name in ipairs(told) do
		table.insert(event.form, { name = name, type = "text-single", value = event.room._data[name] or "" });
	end
end);

for _, name in ipairs(told) do
	module:hook("muc-config-submitted/" .. name, function (event)
		if event.value ~= "" then event.room._data[name] = event.value; end
	end);
end

module:hook("muc-disco#info", function (event)
	for _, name in ipairs(told) do
		local value = event.room._data[name];
		if value then
			table.insert(event.form, { name = name, value = "" });
			event.formdata[name] = value;
		end
	end
end);
