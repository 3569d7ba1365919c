// Somebody's presence goes and comes back, as far as this page hears; `testFlicker(id)` does it.
(() => {
  const last = new Map();
  let socket;
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (typeof data !== "string" || !data.startsWith("<presence")) return;
        const stanza = new DOMParser().parseFromString(data, "text/xml").documentElement;
        socket = this;
        last.set(stanza.getAttribute("from").split("/")[1], stanza);
      });
    }
  };
  window.testFlicker = (id) => {
    const say = (stanza) => {
      const data = new XMLSerializer().serializeToString(stanza);
      // The client's own listener; the one above would take it for the server's.
      socket.onmessage(new MessageEvent("message", { data }));
    };
    const gone = last.get(id).cloneNode(true);
    gone.setAttribute("type", "unavailable");
    const back = last.get(id).cloneNode(true);
    say(gone);
    return new Promise((resolve) => setTimeout(() => { say(back); resolve(true); }, 1000));
  };
})();
