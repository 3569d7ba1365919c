/** Jingle between focus and client (XEP-0166, XEP-0167, XEP-0176): reading and writing. */
import { all, elements, first, text, xml, type Xml } from './xml';
import { parseSourceName } from './ids';
import type { Candidate, Kind, LocalSource, Media, Offer, PayloadType, RemoteSource, Transport } from './types';

export const NS = {
  jingle: 'urn:xmpp:jingle:1',
  rtp: 'urn:xmpp:jingle:apps:rtp:1',
  fb: 'urn:xmpp:jingle:apps:rtp:rtcp-fb:0',
  hdrext: 'urn:xmpp:jingle:apps:rtp:rtp-hdrext:0',
  ssma: 'urn:xmpp:jingle:apps:rtp:ssma:0',
  ice: 'urn:xmpp:jingle:transports:ice-udp:1',
  dtls: 'urn:xmpp:jingle:apps:dtls:0',
  sctp: 'urn:xmpp:jingle:transports:dtls-sctp:1',
  grouping: 'urn:xmpp:jingle:apps:grouping:0',
  colibri: 'http://jitsi.org/protocol/colibri',
  focus: 'http://jitsi.org/protocol/focus',
  jitmeet: 'http://jitsi.org/jitmeet',
} as const;

/** Placeholder sources of the bridge itself: nothing is ever played from them. */
export const BRIDGE_OWNER = 'jvb';

interface Raw {
  kind: Kind;
  ssrc: number;
  name: string;
  owner: string;
  desktop: boolean;
}
interface RawGroup {
  semantics: string;
  ssrcs: number[];
}

/** Reads a session-initiate; throws if it cannot be answered. */
export function readOffer(jingle: Xml, from: string): Offer {
  const contents = all(jingle, 'content');
  const media: Media[] = [];
  let transport: Transport | undefined;
  let sctpPort: number | undefined;
  for (const content of contents) {
    const node = first(content, 'transport', NS.ice);
    if (node) {
      transport ??= readTransport(node);
      const sctp = first(node, 'sctpmap', NS.sctp);
      if (sctp) sctpPort = Number(sctp.attrs.number ?? 5000);
    }
    const description = first(content, 'description', NS.rtp);
    const kind = content.attrs.name;
    if (description && (kind === 'audio' || kind === 'video')) media.push(readMedia(kind, description));
    if (kind === 'data') sctpPort ??= 5000;
  }
  if (!transport || !media.length) throw new Error('the offer has no media or no transport');
  return {
    sid: jingle.attrs.sid ?? '',
    from,
    initiator: jingle.attrs.initiator ?? from,
    media,
    transport,
    sctpPort,
    bridgeSession: first(jingle, 'bridge-session', NS.focus)?.attrs.id,
    sources: readSources(jingle),
  };
}

function readMedia(kind: Kind, description: Xml): Media {
  return {
    kind,
    payloads: all(description, 'payload-type').map(readPayload),
    extensions: all(description, 'rtp-hdrext', NS.hdrext).map((e) => ({ id: Number(e.attrs.id), uri: e.attrs.uri ?? '' })),
    allowMixed: first(description, 'extmap-allow-mixed', NS.hdrext) !== undefined,
  };
}

function readPayload(node: Xml): PayloadType {
  return {
    id: Number(node.attrs.id),
    name: node.attrs.name ?? '',
    clockRate: Number(node.attrs.clockrate),
    channels: Number(node.attrs.channels ?? 1),
    parameters: all(node, 'parameter').map((p) => [p.attrs.name ?? '', p.attrs.value ?? ''] as const),
    feedback: all(node, 'rtcp-fb', NS.fb).map((f) => ({ type: f.attrs.type ?? '', subtype: f.attrs.subtype })),
  };
}

export function readTransport(node: Xml): Transport {
  const fingerprint = first(node, 'fingerprint', NS.dtls);
  return {
    ufrag: node.attrs.ufrag ?? '',
    pwd: node.attrs.pwd ?? '',
    fingerprint: {
      hash: fingerprint?.attrs.hash ?? 'sha-256',
      value: text(fingerprint).trim(),
      setup: fingerprint?.attrs.setup ?? 'actpass',
    },
    candidates: all(node, 'candidate').map(readCandidate),
    webSockets: all(node, 'web-socket', NS.colibri).map((w) => w.attrs.url ?? '').filter(Boolean),
  };
}

function readCandidate(node: Xml): Candidate {
  const a = node.attrs;
  return {
    foundation: a.foundation ?? '1',
    component: a.component ?? '1',
    protocol: a.protocol ?? 'udp',
    priority: a.priority ?? '1',
    ip: a.ip ?? '',
    port: a.port ?? '9',
    type: a.type ?? 'host',
    relAddr: a['rel-addr'],
    relPort: a['rel-port'],
  };
}

/** Other participants' tracks in an offer, source-add or source-remove, as XML or JSON. */
export function readSources(jingle: Xml): RemoteSource[] {
  const raw: Raw[] = [];
  const groups: RawGroup[] = [];
  for (const content of all(jingle, 'content')) {
    const kind = content.attrs.name;
    const description = first(content, 'description', NS.rtp);
    if (!description || (kind !== 'audio' && kind !== 'video')) continue;
    for (const source of all(description, 'source', NS.ssma)) {
      const owner = first(source, 'ssrc-info', NS.jitmeet)?.attrs.owner ?? '';
      raw.push({
        kind,
        ssrc: Number(source.attrs.ssrc),
        name: source.attrs.name ?? '',
        owner: owner.slice(owner.lastIndexOf('/') + 1),
        desktop: source.attrs.videoType === 'desktop',
      });
    }
    for (const group of all(description, 'ssrc-group', NS.ssma)) {
      groups.push({ semantics: group.attrs.semantics ?? '', ssrcs: all(group, 'source').map((s) => Number(s.attrs.ssrc)) });
    }
  }
  const json = text(first(jingle, 'json-message', NS.jitmeet));
  if (json) readJsonSources(json, raw, groups);
  return combine(raw, groups);
}

function readJsonSources(json: string, raw: Raw[], groups: RawGroup[]): void {
  const parsed = JSON.parse(json) as { sources?: Record<string, unknown[][]> };
  for (const [owner, arrays] of Object.entries(parsed.sources ?? {})) {
    const [video = [], videoGroups = [], audio = [], audioGroups = []] = arrays;
    for (const [kind, list] of [['video', video], ['audio', audio]] as const) {
      for (const entry of list as { s: string | number; n?: string; v?: unknown }[]) {
        raw.push({ kind, ssrc: Number(entry.s), name: entry.n ?? '', owner, desktop: Boolean(entry.v) });
      }
    }
    for (const group of [...videoGroups, ...audioGroups] as (string | number)[][]) {
      groups.push({ semantics: group[0] === 's' ? 'SIM' : 'FID', ssrcs: group.slice(1).map(Number) });
    }
  }
}

/** One entry a track: the first SSRC under its name that no FID group calls a retransmission. */
function combine(raw: Raw[], groups: RawGroup[]): RemoteSource[] {
  const rtxOf = new Map<number, number>();
  const repairs = new Set<number>();
  for (const { semantics, ssrcs } of groups) {
    if (semantics !== 'FID' || ssrcs.length !== 2) continue;
    rtxOf.set(ssrcs[0]!, ssrcs[1]!);
    repairs.add(ssrcs[1]!);
  }
  const tracks = new Map<string, RemoteSource>();
  for (const { kind, ssrc, name, owner, desktop } of raw) {
    const known = parseSourceName(name);
    const who = owner || known?.owner || '';
    if (!known || known.kind !== kind || who === BRIDGE_OWNER || repairs.has(ssrc) || tracks.has(name)) continue;
    if (!(ssrc > 0 && ssrc <= 0xffffffff)) continue;
    tracks.set(name, { kind, name, owner: who, ssrc, rtx: rtxOf.get(ssrc), videoType: desktop ? 'desktop' : 'camera' });
  }
  return [...tracks.values()];
}

/** What our answer says, gathered from the local description. */
export interface Answer {
  readonly media: readonly Media[];
  readonly transport: Omit<Transport, 'webSockets'>;
  readonly sources: readonly LocalSource[];
}

/** The session-accept for `offer`; `responder` is our full JID. */
export function sessionAccept(offer: Offer, answer: Answer, responder: string): Xml {
  const contents = answer.media.map((media) =>
    xml('content', { creator: 'responder', name: media.kind, senders: 'both' },
      writeMedia(media, answer.sources.filter((s) => s.kind === media.kind)),
      writeTransport(answer.transport)));
  const names: string[] = answer.media.map((m) => m.kind);
  if (offer.sctpPort !== undefined) {
    names.push('data');
    contents.push(xml('content', { creator: 'responder', name: 'data', senders: 'both' },
      xml('description', { xmlns: NS.rtp, media: 'application' }),
      writeTransport(answer.transport, xml('sctpmap', {
        xmlns: NS.sctp, number: offer.sctpPort, protocol: 'webrtc-datachannel', streams: 1024,
      }))));
  }
  return xml('jingle', { xmlns: NS.jingle, action: 'session-accept', initiator: offer.initiator, responder, sid: offer.sid },
    xml('group', { xmlns: NS.grouping, semantics: 'BUNDLE' }, ...names.map((name) => xml('content', { name }))),
    ...contents);
}

function writeMedia(media: Media, sources: readonly LocalSource[]): Xml {
  return xml('description', { xmlns: NS.rtp, media: media.kind },
    ...media.payloads.map((p) =>
      xml('payload-type', { id: p.id, name: p.name, clockrate: p.clockRate, channels: p.channels > 1 ? p.channels : undefined },
        ...p.parameters.map(([name, value]) => xml('parameter', { name, value })),
        ...p.feedback.map((f) => xml('rtcp-fb', { xmlns: NS.fb, type: f.type, subtype: f.subtype })))),
    ...media.extensions.map((e) => xml('rtp-hdrext', { xmlns: NS.hdrext, id: e.id, uri: e.uri })),
    media.allowMixed ? xml('extmap-allow-mixed', { xmlns: NS.hdrext }) : undefined,
    xml('rtcp-mux'),
    ...sources.flatMap(writeSource));
}

function writeSource(source: LocalSource): Xml[] {
  const videoType = source.kind === 'video' ? 'camera' : undefined;
  return [
    ...source.ssrcs.map((ssrc) =>
      xml('source', { xmlns: NS.ssma, ssrc, name: source.name, videoType }, xml('parameter', { name: 'msid', value: source.msid }))),
    ...source.groups.map((g) =>
      xml('ssrc-group', { xmlns: NS.ssma, semantics: g.semantics }, ...g.ssrcs.map((ssrc) => xml('source', { ssrc })))),
  ];
}

function writeTransport(transport: Answer['transport'], extra?: Xml): Xml {
  const { fingerprint } = transport;
  return xml('transport', { xmlns: NS.ice, ufrag: transport.ufrag, pwd: transport.pwd },
    xml('fingerprint', { xmlns: NS.dtls, hash: fingerprint.hash, setup: fingerprint.setup }, fingerprint.value),
    ...transport.candidates.map((c, i) =>
      xml('candidate', {
        component: c.component, foundation: c.foundation, generation: 0, id: `c${i}`, network: 0, ip: c.ip, port: c.port,
        priority: c.priority, protocol: c.protocol, type: c.type, 'rel-addr': c.relAddr, 'rel-port': c.relPort,
      })),
    extra);
}

/** Ends the session; with `restart` the focus is asked for a new one. */
export function sessionTerminate(offer: Offer, reason: string, restart: boolean): Xml {
  return xml('jingle', { xmlns: NS.jingle, action: 'session-terminate', sid: offer.sid },
    xml('reason', {}, xml(reason)),
    offer.bridgeSession ? xml('bridge-session', { xmlns: NS.focus, id: offer.bridgeSession, restart }) : undefined);
}

export function jingleOf(iq: Xml): Xml | undefined {
  return elements(iq).find((e) => e.name === 'jingle' && e.ns === NS.jingle);
}
