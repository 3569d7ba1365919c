-- Stands for the client proxy that stock set-ups have at the focus's address: requests go on
-- to a session of target_address, with the asker as resource of the sender, and answers back.
-- SPDX-License-Identifier: AGPL-3.0-or-later

local jid = require "util.jid";
local st = require "util.stanza";

local target = module:get_option_string("target_address");
local there = {};

module:hook("iq/host", function (event)
	local origin, stanza = event.origin, event.stanza;
	local from, kind = stanza.attr.from, stanza.attr.type;
	local _, _, asker = jid.split(stanza.attr.to);
	if jid.bare(from) == target and asker and (kind == "result" or kind == "error") then
		local answer = st.clone(stanza);
		answer.attr.from, answer.attr.to = module.host, asker;
		module:send(answer);
	elseif (kind == "get" or kind == "set") and not asker then
		local session = next(there);
		if not session then
			origin.send(st.error_reply(stanza, "wait", "service-unavailable"));
			return true;
		end
		local request = st.clone(stanza);
		request.attr.from, request.attr.to = module.host .. "/" .. from, session;
		module:send(request);
	end
	return true;
end, 100);

module:hook("presence/host", function (event)
	local from, kind = event.stanza.attr.from, event.stanza.attr.type;
	if jid.bare(from) ~= target then return true; end
	if not kind then
		there[from] = true;
	elseif kind == "unavailable" then
		there[from] = nil;
	end
	return true;
end, 100);

module:hook("message/host", function (event)
	if event.stanza.attr.type ~= "error" then
		event.origin.send(st.error_reply(event.stanza, "cancel", "service-unavailable"));
	end
	return true;
end, 100);

local function subscribe()
	module:send(st.presence({ type = "subscribe", from = module.host, to = target }));
end
-- Not before the target's host is there.
module:add_timer(0.5, subscribe);
