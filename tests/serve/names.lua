-- Stands for DNS in tests, where Prosody asks it for other servers.  NAMES has lines of a
-- host and its s2s port, all on loopback; `lua` runs this first (LUA_INIT).
local ports = {}
for host, port in os.getenv("NAMES"):gmatch("(%S+) (%d+)") do
    ports[host] = tonumber(port)
end

local resolver = {}
function resolver:lookup(handler, name)
    local port = ports[name:match("^_xmpp%-server%._tcp%.(.-)%.?$")]
    handler(port and {{ srv = { priority = 0, weight = 0, target = "127.0.0.1", port = port } }} or {})
end

table.insert(package.searchers, 2, function(name)
    if name ~= "net.adns" then return end
    return function()
        local real = assert(loadfile(package.searchpath(name, package.path)))(name)
        real.resolver = function() return resolver end
        return real
    end
end)
