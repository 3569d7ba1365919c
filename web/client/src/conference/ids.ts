/** Names: endpoint ids, source names, room names. */
import type { Kind, SourceKey } from './types';

/** Eight random hex digits: MUC nickname and endpoint id. */
export function newEndpointId(): string {
  return randomHex(4);
}

export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** A random SSRC, never 0. */
export function newSsrc(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! || 1;
}

export function sourceName(endpoint: string, key: SourceKey): string {
  return `${endpoint}-${key}`;
}

export function kindOf(key: SourceKey): Kind {
  return key.startsWith('a') ? 'audio' : 'video';
}

/** Whether `value` may be an SSRC. */
export function isSsrc(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= 0xffffffff;
}

const SOURCE_NAME = /^([0-9A-Za-z_.-]{1,64})-([av])\d{1,4}$/;

export function parseSourceName(name: string): { owner: string; kind: Kind } | undefined {
  const match = SOURCE_NAME.exec(name);
  return match ? { owner: match[1]!, kind: match[2] === 'a' ? 'audio' : 'video' } : undefined;
}

/**
 * The room's local part in a JID for what stands in the URL's path: lower case, with the
 * characters that a local part cannot have replaced (RFC 7622, 3.3.1).
 */
export function roomLocalPart(path: string): string {
  let name = path;
  try {
    name = decodeURIComponent(path);
  } catch {
    // A stray percent sign: take it as it stands.
  }
  return name.normalize('NFKC').toLowerCase().trim().replace(/[\s"&'/:<>@\\%?#\u0000-\u001f\u007f]+/g, '-').slice(0, 128);
}
