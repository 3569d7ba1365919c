/** What goes wrong on the way into a room, and what it means for the one who wants in. */
import type { FailureReason } from './types';
import type { Xml } from './xml';

/** An IQ was answered with an error, or not at all (`timeout`). */
export class StanzaError extends Error {
  constructor(readonly condition: string, readonly stanza?: Xml) {
    super(`the server answered: ${condition}`);
  }
}

/** Raised where asking again would not help. */
export class RequestRefused extends Error {
  constructor(readonly condition: string) {
    super(`the focus refused: ${condition}`);
  }
}

/** The room did not let us in; `condition` is the stanza error. */
export class JoinError extends Error {
  constructor(readonly condition: string) {
    super(`the room refused: ${condition}`);
  }
}

/** Why it is no use to try again; undefined where it is. */
export function failureOf(error: unknown): FailureReason | undefined {
  if (error instanceof RequestRefused) return 'not-authorized';
  if (!(error instanceof JoinError)) return undefined;
  switch (error.condition) {
    case 'service-unavailable':
      return 'room-full';
    case 'not-authorized':
      return 'password-required';
    case 'registration-required':
      return 'members-only';
    case 'forbidden':
      return 'not-authorized';
    default:
      // not-allowed too: the room was closed between the focus's answer and our presence.
      return undefined;
  }
}
