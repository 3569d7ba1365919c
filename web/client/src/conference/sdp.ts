/** Session descriptions: written from the focus's offer, read from the browser's answer. */
import { kindOf, newSsrc, sourceName } from './ids';
import type { Answer } from './jingle';
import type { Slot } from './slots';
import type { Candidate, HeaderExtension, Kind, LocalSource, Media, Offer, PayloadType, SourceKey, Transport } from './types';

/** Not passed on: packets are told apart by SSRC here, and a forwarded sender's mid would mislead. */
const DROPPED_EXTENSIONS = new Set([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
]);

/**
 * The remote description (RFC 8829) for `offer` with the present slots.  The first m-lines are
 * ours to send on; then the data channel; then one m-line a slot.  `codec` is the video codec to send.
 */
export function remoteDescription(offer: Offer, slots: readonly Slot[], codec: string, version: number): string {
  const sections: string[][] = [];
  const mids: string[] = [];
  offer.media.forEach((media, index) => {
    mids.push(String(index));
    const ordered = media.kind === 'video' ? preferCodec(media, codec) : media;
    sections.push([...rtpSection(ordered, String(index), offer.transport), 'a=recvonly']);
  });
  if (offer.sctpPort !== undefined) {
    const mid = String(mids.length);
    mids.push(mid);
    sections.push([
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'c=IN IP4 0.0.0.0',
      ...transportLines(offer.transport), `a=mid:${mid}`, `a=sctp-port:${offer.sctpPort}`, 'a=max-message-size:262144',
    ]);
  }
  for (const slot of slots) {
    const media = offer.media.find((m) => m.kind === slot.kind);
    if (!media) continue;
    mids.push(slot.mid);
    sections.push([...rtpSection(media, slot.mid, offer.transport), ...slotLines(slot)]);
  }
  sections[0]!.push(...offer.transport.candidates.map((c) => `a=${candidateLine(c)}`));
  const head = [
    'v=0', `o=- 1923518516 ${version} IN IP4 0.0.0.0`, 's=-', 't=0 0',
    `a=group:BUNDLE ${mids.join(' ')}`, 'a=msid-semantic: WMS *',
  ];
  if (offer.media.some((m) => m.allowMixed)) head.push('a=extmap-allow-mixed');
  return [...head, ...sections.flat(), ''].join('\r\n');
}

/** A candidate as `addIceCandidate` takes it. */
export function candidateLine(c: Candidate): string {
  return `candidate:${c.foundation} ${c.component} ${c.protocol} ${c.priority} ${c.ip} ${c.port} typ ${c.type}` +
    (c.relAddr ? ` raddr ${c.relAddr} rport ${c.relPort ?? 9}` : '') + ' generation 0';
}

const CANDIDATE = /^(?:a=)?candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ (\S+)(?:.* raddr (\S+))?(?:.* rport (\d+))?/;

/** Reads what a browser gathered; undefined for the end of candidates and for TCP, which helps no peer. */
export function readCandidateLine(text: string): Candidate | undefined {
  const match = CANDIDATE.exec(text);
  if (!match) return undefined;
  const [, foundation, component, protocol, priority, ip, port, type, relAddr, relPort] = match as unknown as string[];
  if (protocol!.toLowerCase() !== 'udp') return undefined;
  return { foundation: foundation!, component: component!, protocol: 'udp', priority: priority!, ip: ip!, port: port!, type: type!, relAddr, relPort };
}

/** The m-line index where slots begin. */
export function firstSlotMid(offer: Offer): number {
  return offer.media.length + (offer.sctpPort !== undefined ? 1 : 0);
}

function rtpSection(media: Media, mid: string, transport: Transport): string[] {
  return [
    `m=${media.kind} 9 UDP/TLS/RTP/SAVPF ${media.payloads.map((p) => p.id).join(' ')}`, 'c=IN IP4 0.0.0.0', 'a=rtcp:9 IN IP4 0.0.0.0',
    ...transportLines(transport), `a=mid:${mid}`, 'a=rtcp-mux', 'a=rtcp-rsize',
    ...media.extensions.filter((e) => !DROPPED_EXTENSIONS.has(e.uri)).map((e) => `a=extmap:${e.id} ${e.uri}`),
    ...media.payloads.flatMap(payloadLines),
  ];
}

function transportLines(transport: Transport): string[] {
  return [
    `a=ice-ufrag:${transport.ufrag}`, `a=ice-pwd:${transport.pwd}`,
    `a=fingerprint:${transport.fingerprint.hash} ${transport.fingerprint.value}`, `a=setup:${transport.fingerprint.setup}`,
  ];
}

function payloadLines(p: PayloadType): string[] {
  const lines = [`a=rtpmap:${p.id} ${p.name}/${p.clockRate}${p.channels > 1 ? `/${p.channels}` : ''}`];
  const parameters = p.parameters.map(([name, value]) => (name ? `${name}=${value}` : value).replace(/;+$/, ''));
  if (parameters.length) lines.push(`a=fmtp:${p.id} ${parameters.join(';')}`);
  for (const f of p.feedback) lines.push(`a=rtcp-fb:${p.id} ${f.type}${f.subtype ? ` ${f.subtype}` : ''}`);
  return lines;
}

function slotLines(slot: Slot): string[] {
  if (slot.outgoing) return ['a=recvonly'];
  if (!slot.source) return ['a=inactive'];
  // The stream's id is the slot's, so that a source that moves into it keeps the browser's track.
  const stream = `slot-${slot.mid}`;
  const ssrcs = slot.rtx ? [slot.ssrc, slot.rtx] : [slot.ssrc];
  const lines = ['a=sendonly', `a=msid:${stream} ${stream}-track`];
  if (slot.rtx) lines.push(`a=ssrc-group:FID ${slot.ssrc} ${slot.rtx}`);
  for (const ssrc of ssrcs) lines.push(`a=ssrc:${ssrc} cname:${stream}`, `a=ssrc:${ssrc} msid:${stream} ${stream}-track`);
  return lines;
}

/** Puts `codec` and its retransmission payload first: browsers send the first they can. */
export function preferCodec(media: Media, codec: string): Media {
  const main = media.payloads.filter((p) => p.name.toLowerCase() === codec.toLowerCase());
  const ids = new Set(main.map((p) => String(p.id)));
  const repair = media.payloads.filter((p) => p.parameters.some(([name, value]) => name === 'apt' && ids.has(value)));
  const wanted = new Set([...main, ...repair]);
  return { ...media, payloads: [...wanted, ...media.payloads.filter((p) => !wanted.has(p))] };
}

function split(sdp: string): { head: string[]; sections: string[][] } {
  const sections: string[][] = [];
  const head: string[] = [];
  for (const line of sdp.split(/\r?\n/)) {
    if (!line) continue;
    if (line.startsWith('m=')) sections.push([]);
    (sections[sections.length - 1] ?? head).push(line);
  }
  return { head, sections };
}

function values(lines: readonly string[], prefix: string): string[] {
  return lines.filter((l) => l.startsWith(prefix)).map((l) => l.slice(prefix.length));
}

/**
 * Makes the answer's camera line announce three encodings, low to high, each with its
 * retransmissions.  Chromium turns a SIM group in the local description into simulcast.
 */
export function addSimulcast(sdp: string, mid: string): string {
  const { head, sections } = split(sdp);
  const changed = sections.map((lines) => {
    if (!lines.includes(`a=mid:${mid}`) || lines.some((l) => l.startsWith('a=ssrc-group:SIM'))) return lines;
    const attributes = values(lines, 'a=ssrc:');
    const primary = Number(attributes[0]?.split(' ')[0]);
    if (!primary) return lines;
    const details = attributes.filter((a) => a.startsWith(`${primary} `)).map((a) => a.slice(a.indexOf(' ') + 1));
    const rtx = values(lines, 'a=ssrc-group:FID ').map((g) => Number(g.split(' ')[1]))[0];
    const primaries = [primary, newSsrc(), newSsrc()];
    const repairs = rtx ? [rtx, newSsrc(), newSsrc()] : [];
    return [
      ...lines.filter((l) => !l.startsWith('a=ssrc')),
      `a=ssrc-group:SIM ${primaries.join(' ')}`,
      ...repairs.map((r, i) => `a=ssrc-group:FID ${primaries[i]} ${r}`),
      ...[...primaries, ...repairs].flatMap((ssrc) => details.map((d) => `a=ssrc:${ssrc} ${d}`)),
    ];
  });
  return [...head, ...changed.flat(), ''].join('\r\n');
}

/** How the sources of ours on the first m-lines are called. */
export const FIRST_SOURCES: Readonly<Record<Kind, SourceKey>> = { audio: 'a0', video: 'v0' };

/** What a local description says of its first m-lines, for session-accept and session-initiate. */
export function readLocal(sdp: string, kinds: readonly Kind[], endpoint: string): Answer {
  const { head, sections } = split(sdp);
  const transportFrom = (prefix: string) =>
    [...sections.map((s) => values(s, prefix)[0]), values(head, prefix)[0]].find((v) => v !== undefined) ?? '';
  const [hash = 'sha-256', value = ''] = transportFrom('a=fingerprint:').split(' ');
  const setup = transportFrom('a=setup:');
  const media: Media[] = [];
  const sources: LocalSource[] = [];
  kinds.forEach((kind, index) => {
    const lines = sections.find((s) => s.includes(`a=mid:${index}`));
    if (!lines) return;
    media.push(readMedia(kind, lines, head));
    const source = sourceOf(lines, endpoint, FIRST_SOURCES[kind]);
    if (source) sources.push(source);
  });
  return {
    media,
    sources,
    transport: {
      ufrag: transportFrom('a=ice-ufrag:'), pwd: transportFrom('a=ice-pwd:'),
      fingerprint: { hash, value, setup: ['passive', 'actpass'].includes(setup) ? setup : 'active' }, candidates: [],
    },
  };
}

/** What a local description says of the source that is sent on the m-line `mid`. */
export function readLocalSource(sdp: string, mid: string, endpoint: string, key: SourceKey): LocalSource | undefined {
  const lines = split(sdp).sections.find((s) => s.includes(`a=mid:${mid}`));
  return lines && sourceOf(lines, endpoint, key);
}

function sourceOf(lines: readonly string[], endpoint: string, key: SourceKey): LocalSource | undefined {
  const ssrcs = [...new Set(values(lines, 'a=ssrc:').map((v) => Number(v.split(' ')[0])))].filter((s) => s > 0);
  const groups = values(lines, 'a=ssrc-group:').map((g) => {
    const [semantics = '', ...members] = g.split(' ');
    return { semantics, ssrcs: members.map(Number) };
  });
  const kind = kindOf(key);
  // The track's id is made of an SSRC: another session of ours has another one.
  const msid = `${endpoint}-${kind}-${key.slice(1)}-1 ${ssrcs[0]?.toString(16)}-${key}`;
  return ssrcs.length ? { kind, name: sourceName(endpoint, key), videoType: key === 'v1' ? 'desktop' : 'camera', msid, ssrcs, groups } : undefined;
}

function readMedia(kind: Kind, lines: readonly string[], head: readonly string[]): Media {
  const ids = lines[0]!.split(' ').slice(3).map(Number);
  const payloads = ids.map((id): PayloadType => {
    const [name = '', rate = '0', channels = '1'] = (values(lines, `a=rtpmap:${id} `)[0] ?? '').split('/');
    const parameters = values(lines, `a=fmtp:${id} `).flatMap((v) => v.split(';')).map((p) => p.trim()).filter(Boolean)
      .map((p): readonly [string, string] => {
        const at = p.indexOf('=');
        return at < 0 ? ['', p] : [p.slice(0, at), p.slice(at + 1)];
      });
    const feedback = values(lines, `a=rtcp-fb:${id} `).map((v) => {
      const [type = '', subtype] = v.split(' ');
      return { type, subtype };
    });
    return { id, name, clockRate: Number(rate), channels: Number(channels), parameters, feedback };
  }).filter((p) => p.name);
  const extensions = values(lines, 'a=extmap:').map((v): HeaderExtension => {
    const [id = '0', uri = ''] = v.split(' ');
    return { id: parseInt(id, 10), uri };
  }).filter((e) => !DROPPED_EXTENSIONS.has(e.uri));
  const allowMixed = [...lines, ...head].includes('a=extmap-allow-mixed');
  return { kind, payloads, extensions, allowMixed };
}
