/** What goes wrong on the way into a room, and what it means for the one who wants in. */
import type { FailureReason } from './types';
import { elements, first, type Xml } from './xml';

/** An IQ was answered with an error, or not at all (`timeout`). */
export class StanzaError extends Error {
  constructor(readonly condition: string, readonly stanza?: Xml) {
    super(`the server answered: ${condition}`);
  }

  /** Whether the error has this element beside its condition. */
  has(name: string): boolean {
    return elements(first(this.stanza, 'error') ?? { name: '', ns: '', attrs: {}, children: [] }).some((one) => one.name === name);
  }
}

/** Raised where asking again would not help. */
export class RequestRefused extends Error {
  constructor(readonly reason: FailureReason) {
    super(`the focus refused: ${reason}`);
  }
}

/** The room or its lobby did not let us in; `condition` is the stanza error. */
export class JoinError extends Error {
  constructor(readonly condition: string) {
    super(`the room refused: ${condition}`);
  }
}

/** Why it is no use to try again; undefined where it is. */
export function failureOf(error: unknown): FailureReason | undefined {
  if (error instanceof RequestRefused) return error.reason;
  if (!(error instanceof JoinError)) return undefined;
  switch (error.condition) {
    case 'service-unavailable':
      return 'room-full';
    case 'forbidden':
      return 'removed';
    default:
      // not-allowed too: the room was closed between the focus's answer and our presence.
      return undefined;
  }
}
