/** Jingle with the focus and between two clients (XEP-0166, XEP-0167, XEP-0176): reading and writing. */
import { all, elements, first, text, xml, type Xml } from './xml';
import { isSsrc, parseSourceName, sourceName } from './ids';
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

const MAX_PAYLOADS = 64;
const MAX_EXTENSIONS = 32;
const MAX_PARAMETERS = 32;
const MAX_CANDIDATES = 32;

/** A word for a line of SDP: no white space, no line end, not endless; empty if it is none. */
function word(value: string | undefined): string {
  return value !== undefined && /^[!-~]{1,256}$/.test(value) ? value : '';
}

/** The rest of a line of SDP. */
function line(value: string | undefined): string {
  return value !== undefined && /^[ -~]{1,512}$/.test(value) ? value : '';
}

/** The focus names contents by their media, a peer by its m-lines: 0 and 1. */
function kindOfContent(content: Xml, description: Xml | undefined): string | undefined {
  const { name } = content.attrs;
  return name === 'audio' || name === 'video' || !description ? name : description.attrs.media;
}

/** Reads a session-initiate, or a peer's session-accept; throws if it cannot be answered. */
export function readOffer(jingle: Xml, from: string, peer?: string): Offer {
  const contents = all(jingle, 'content');
  const media: Media[] = [];
  let transport: Transport | undefined;
  let sctpPort: number | undefined;
  for (const content of contents) {
    const node = first(content, 'transport', NS.ice);
    if (node) {
      transport ??= readTransport(node);
      const sctp = first(node, 'sctpmap', NS.sctp);
      if (sctp) sctpPort = portOf(sctp.attrs.number);
    }
    const description = first(content, 'description', NS.rtp);
    const kind = kindOfContent(content, description);
    const known = media.some((m) => m.kind === kind);
    if (description && !known && (kind === 'audio' || kind === 'video')) media.push(readMedia(kind, description));
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
    sources: readSources(jingle, peer),
  };
}

/** Candidates of a transport-info. */
export function readCandidates(jingle: Xml): Candidate[] {
  return all(jingle, 'content').flatMap((content) => all(content, 'transport', NS.ice))
    .flatMap((transport) => readTransport(transport).candidates).slice(0, MAX_CANDIDATES);
}

function portOf(value: string | undefined): number {
  const port = Number(value);
  return Number.isInteger(port) && port > 0 && port < 65536 ? port : 5000;
}

function readMedia(kind: Kind, description: Xml): Media {
  return {
    kind,
    payloads: all(description, 'payload-type').slice(0, MAX_PAYLOADS).map(readPayload)
      .filter((p) => p.name && p.id >= 0 && p.id < 128 && p.clockRate > 0),
    extensions: all(description, 'rtp-hdrext', NS.hdrext).slice(0, MAX_EXTENSIONS)
      .map((e) => ({ id: Number(e.attrs.id), uri: word(e.attrs.uri) })).filter((e) => e.uri && e.id > 0 && e.id < 256),
    allowMixed: first(description, 'extmap-allow-mixed', NS.hdrext) !== undefined,
  };
}

function readPayload(node: Xml): PayloadType {
  return {
    id: Number(node.attrs.id),
    name: word(node.attrs.name),
    clockRate: Number(node.attrs.clockrate),
    channels: Number(node.attrs.channels ?? 1),
    parameters: all(node, 'parameter').slice(0, MAX_PARAMETERS).map((p) => [word(p.attrs.name), line(p.attrs.value)] as const)
      .filter(([name, value]) => name || value),
    feedback: all(node, 'rtcp-fb', NS.fb).slice(0, MAX_PARAMETERS)
      .map((f) => ({ type: word(f.attrs.type), subtype: word(f.attrs.subtype) || undefined })).filter((f) => f.type),
  };
}

export function readTransport(node: Xml): Transport {
  const fingerprint = first(node, 'fingerprint', NS.dtls);
  return {
    ufrag: word(node.attrs.ufrag),
    pwd: word(node.attrs.pwd),
    fingerprint: {
      hash: word(fingerprint?.attrs.hash) || 'sha-256',
      value: word(text(fingerprint).trim()),
      setup: word(fingerprint?.attrs.setup) || 'actpass',
    },
    candidates: all(node, 'candidate').slice(0, MAX_CANDIDATES).map(readCandidate).filter((c) => c.ip),
    webSockets: all(node, 'web-socket', NS.colibri).map((w) => w.attrs.url ?? '').filter(Boolean),
  };
}

function readCandidate(node: Xml): Candidate {
  const a = node.attrs;
  return {
    foundation: word(a.foundation) || '1',
    component: word(a.component) || '1',
    protocol: word(a.protocol) || 'udp',
    priority: word(a.priority) || '1',
    ip: word(a.ip),
    port: word(a.port) || '9',
    type: word(a.type) || 'host',
    relAddr: word(a['rel-addr']) || undefined,
    relPort: word(a['rel-port']) || undefined,
  };
}

/**
 * Other participants' tracks in an offer, source-add or source-remove, as XML or JSON.  A `peer`
 * may leave out names: its sources are then microphone and camera, and what it adds is a screen.
 */
export function readSources(jingle: Xml, peer?: string): RemoteSource[] {
  const raw: Raw[] = [];
  const groups: RawGroup[] = [];
  for (const content of all(jingle, 'content')) {
    const description = first(content, 'description', NS.rtp);
    const kind = kindOfContent(content, description);
    if (!description || (kind !== 'audio' && kind !== 'video')) continue;
    for (const source of all(description, 'source', NS.ssma)) {
      const owner = first(source, 'ssrc-info', NS.jitmeet)?.attrs.owner ?? '';
      raw.push({
        kind,
        ssrc: Number(source.attrs.ssrc),
        name: source.attrs.name ?? (peer === undefined ? '' : sourceName(peer, jingle.attrs.action === 'source-add' && kind === 'video' ? 'v1' : kind === 'audio' ? 'a0' : 'v0')),
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
    if (!ssrcs.every(isSsrc)) continue;
    rtxOf.set(ssrcs[0]!, ssrcs[1]!);
    repairs.add(ssrcs[1]!);
  }
  const tracks = new Map<string, RemoteSource>();
  for (const { kind, ssrc, name, owner, desktop } of raw) {
    const known = parseSourceName(name);
    const who = owner || known?.owner || '';
    if (!known || known.kind !== kind || who === BRIDGE_OWNER || repairs.has(ssrc) || tracks.has(name)) continue;
    if (!isSsrc(ssrc)) continue;
    tracks.set(name, { kind, name, owner: who, ssrc, rtx: rtxOf.get(ssrc), videoType: desktop ? 'desktop' : 'camera' });
  }
  return [...tracks.values()];
}

/** What our answer or offer says, gathered from the local description. */
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

/** What starts or accepts a session with a peer: `action` is session-initiate or session-accept. */
export function directSession(action: string, ids: DirectIds, local: Answer): Xml {
  const creator = action === 'session-initiate' ? 'initiator' : 'responder';
  return directJingle(action, ids,
    xml('group', { xmlns: NS.grouping, semantics: 'BUNDLE' }, ...local.media.map((_, i) => xml('content', { name: i }))),
    ...local.media.map((media, i) => xml('content', { creator, name: i, senders: 'both' },
      writeMedia(media, local.sources.filter((s) => s.kind === media.kind)), writeTransport(local.transport))));
}

export interface DirectIds {
  readonly sid: string;
  readonly initiator: string;
  readonly responder?: string;
}

function directJingle(action: string, { sid, initiator, responder }: DirectIds, ...children: Xml[]): Xml {
  return xml('jingle', { xmlns: NS.jingle, action, initiator, responder, sid }, ...children);
}

/** Candidates that were gathered for the session's one transport. */
export function transportInfo(ids: DirectIds, local: Answer['transport'], candidates: readonly Candidate[]): Xml {
  return directJingle('transport-info', ids,
    xml('content', { creator: 'initiator', name: 0 }, writeTransport({ ...local, candidates })));
}

/** Announces one more source in a session; `contentName` is the media for the focus, an m-line for a peer. */
export function sourceAdd(sid: string, initiator: string, source: LocalSource, contentName: string): Xml {
  return xml('jingle', { xmlns: NS.jingle, action: 'source-add', sid, initiator },
    xml('content', { creator: 'responder', name: contentName },
      xml('description', { xmlns: NS.rtp, media: source.kind }, ...writeSource(source))));
}

/** Tells a peer how high a picture we want of each source, and whether we want any. */
export function contentModify(ids: DirectIds, video: boolean, heights: ReadonlyMap<string, number>): Xml {
  return directJingle('content-modify', ids,
    xml('content', { name: 'video', senders: video ? 'both' : 'none' },
      ...[...heights].map(([source, maxHeight]) =>
        xml('source-frame-height', { xmlns: `${NS.jitmeet}/video`, sourceName: source, maxHeight }))));
}

/** What a content-modify asks for; a source that is not named is wanted as large as it is. */
export function readModify(jingle: Xml): { readonly video: boolean; readonly heights: ReadonlyMap<string, number> } {
  const content = all(jingle, 'content').find((c) => c.attrs.name === 'video');
  const heights = new Map<string, number>();
  for (const entry of content ? all(content, 'source-frame-height').slice(0, MAX_PARAMETERS) : []) {
    const height = Number(entry.attrs.maxHeight);
    if (entry.attrs.sourceName && Number.isFinite(height)) heights.set(entry.attrs.sourceName, height);
  }
  return { video: content?.attrs.senders !== 'none', heights };
}

/** Ends a session with a peer. */
export function directTerminate(ids: DirectIds, reason: string): Xml {
  return directJingle('session-terminate', ids, xml('reason', {}, xml(reason)));
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
  const videoType = source.kind === 'video' ? source.videoType : undefined;
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
