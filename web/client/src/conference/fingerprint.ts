/**
 * What two people compare to know that nobody is between them: emoji from both DTLS fingerprints.
 *
 * Somebody in the middle shows each side another certificate and wants both to see the same emoji.
 * With 60 bits he has to try some 2^30 certificates for each side, while the two wait to be
 * connected, and ROUNDS makes every try as dear as so many hashes.
 */

const COUNT = 10;
const ROUNDS = 100_000;
const SALT = 'xmppconf direct call';

/** 64 that nobody takes for another, in what all systems draw since 2016. */
const EMOJI = [
  ...'🐶🐱🐭🐰🦊🐻🐼🐯🦁🐮🐷🐸🐵🐔🐧🦆🦉🐴🐝🦋🐌🐢🐍🐙🦀🐬🐘🐫🌵🌲🌻🍄',
  ...'🍎🍌🍇🍉🍓🍒🍍🥕🌽🍞🧀🍕🍩🎂☕⚽🎸🥁🎲🚗🚲🚀⛵🏠🔑🔔💡📷⏰🎈🌙🔥',
];

/** The same on both sides, whichever is `own`; undefined where the browser has no cryptography for pages. */
export async function compareSigns(own: string, other: string): Promise<readonly string[] | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const both = [own, other].map((f) => f.trim().toUpperCase()).sort().join('\n');
  const bytes = new TextEncoder();
  const key = await crypto.subtle.importKey('raw', bytes.encode(both), 'PBKDF2', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: bytes.encode(SALT), iterations: ROUNDS }, key, 8 * COUNT);
  return [...new Uint8Array(bits)].map((byte) => EMOJI[byte % EMOJI.length]!);
}

/** The fingerprint in a session description, with the hash's name. */
export function fingerprintOf(sdp: string | undefined): string {
  return /^a=fingerprint:(.*)$/m.exec(sdp ?? '')?.[1]?.trim() ?? '';
}
