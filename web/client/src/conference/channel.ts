/** The bridge channel: JSON over a data channel, or over a WebSocket where that does not open. */
import { Emitter } from './emitter';
import { isSsrc, parseSourceName } from './ids';
import type { RemoteSource } from './types';

interface Events {
  open: void;
  dominantSpeaker: { id: string; silence: boolean };
  forwarded: ReadonlySet<string>;
  senderConstraint: { source: string; maxHeight: number };
  mapped: readonly RemoteSource[];
  connectivity: { id: string; active: boolean };
  endpointMessage: { from: string; payload: object };
  downlink: number;
}

const MAX_MESSAGE = 1 << 20;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** How long the data channel may take after the transport is up, before the WebSocket is tried. */
const CHANNEL_MS = 4_000;

export class BridgeChannel extends Emitter<Events> {
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private retry = RETRY_MS;
  private closed = false;
  private using: 'none' | 'data' | 'websocket' = 'none';

  constructor(private readonly data: RTCDataChannel | undefined, private readonly url: string | undefined) {
    super();
    if (data) {
      data.onopen = () => this.opened('data');
      data.onmessage = (event) => this.receive(event.data);
      data.onclose = () => {
        if (this.using === 'data') this.using = 'none';
        if (this.closed) return;
        // Not at once: a page that is being left loses its data channel before it knows.
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.connectSocket(), RETRY_MS / 2);
      };
    } else this.connectSocket();
  }

  get transport(): 'none' | 'data' | 'websocket' {
    return this.using;
  }

  /** The media transport is up: from now the data channel has limited time to open. */
  transportUp(): void {
    if (this.using === 'none' && this.data && !this.timer) this.timer = setTimeout(() => this.connectSocket(), CHANNEL_MS);
  }

  /** True if it went out; nothing is kept for later. */
  send(message: { colibriClass: string } & Record<string, unknown>): boolean {
    const text = JSON.stringify(message);
    if (this.data?.readyState === 'open') this.data.send(text);
    else if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
    else return false;
    return true;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    if (this.data) {
      this.data.onopen = this.data.onmessage = this.data.onclose = null;
      this.data.close();
    }
    this.socket?.close();
  }

  private opened(how: 'data' | 'websocket'): void {
    clearTimeout(this.timer);
    this.using = how;
    this.retry = RETRY_MS;
    this.emit('open', undefined);
  }

  private connectSocket(): void {
    clearTimeout(this.timer);
    if (this.closed || !this.url || this.data?.readyState === 'open' || this.socket) return;
    let socket: WebSocket;
    try {
      socket = this.socket = new WebSocket(this.url);
    } catch {
      return; // Not an address for a WebSocket: there is only the data channel.
    }
    socket.onopen = () => this.opened('websocket');
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => {
      this.socket = undefined;
      if (this.using === 'websocket') this.using = 'none';
      if (this.closed) return;
      this.timer = setTimeout(() => this.connectSocket(), this.retry);
      this.retry = Math.min(2 * this.retry, MAX_RETRY_MS);
    };
  }

  private receive(data: unknown): void {
    if (typeof data !== 'string' || data.length > MAX_MESSAGE) return;
    try {
      this.dispatch(JSON.parse(data) as Record<string, unknown>);
    } catch (error) {
      console.warn('bridge channel: message not understood:', (error as Error).name);
    }
  }

  private dispatch(m: Record<string, unknown>): void {
    switch (m.colibriClass) {
      case 'DominantSpeakerEndpointChangeEvent':
        this.emit('dominantSpeaker', { id: String(m.dominantSpeakerEndpoint), silence: m.silence === true });
        break;
      case 'ForwardedSources':
        if (Array.isArray(m.forwardedSources)) this.emit('forwarded', new Set(m.forwardedSources.map(String)));
        break;
      case 'SenderSourceConstraints':
        if (typeof m.sourceName === 'string' && typeof m.maxHeight === 'number') {
          this.emit('senderConstraint', { source: m.sourceName, maxHeight: m.maxHeight });
        }
        break;
      case 'VideoSourcesMap':
      case 'AudioSourcesMap':
        this.emit('mapped', readMap(m.mappedSources, m.colibriClass === 'VideoSourcesMap' ? 'video' : 'audio'));
        break;
      case 'EndpointConnectivityStatusChangeEvent':
        this.emit('connectivity', { id: String(m.endpoint), active: String(m.active) === 'true' });
        break;
      case 'EndpointMessage':
        if (typeof m.msgPayload === 'object' && m.msgPayload !== null) {
          this.emit('endpointMessage', { from: String(m.from), payload: m.msgPayload });
        }
        break;
      case 'ConnectionStats':
        if (typeof m.estimatedDownlinkBandwidth === 'number') this.emit('downlink', m.estimatedDownlinkBandwidth);
        break;
    }
  }
}

/** The entries of a source map that make sense; the others are left out. */
export function readMap(entries: unknown, kind: 'audio' | 'video'): RemoteSource[] {
  if (!Array.isArray(entries)) return [];
  const sources: RemoteSource[] = [];
  for (const entry of entries as (Record<string, unknown> | null)[]) {
    if (typeof entry !== 'object' || entry === null) continue;
    const name = String(entry.source);
    const ssrc = Number(entry.ssrc);
    const rtx = Number(entry.rtx ?? -1);
    const known = parseSourceName(name);
    if (known?.kind !== kind || !isSsrc(ssrc)) continue;
    sources.push({
      kind, name, owner: String(entry.owner ?? known.owner), ssrc, rtx: isSsrc(rtx) ? rtx : undefined,
      videoType: String(entry.videoType).toLowerCase().startsWith('desktop') ? 'desktop' : 'camera',
    });
  }
  return sources;
}
