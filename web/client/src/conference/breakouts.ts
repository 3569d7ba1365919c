/** The rooms beside the main one, as the focus tells everybody in all of them. */

export interface BreakoutRoom {
  /** The room's name in its address. */
  readonly id: string;
  readonly jid: string;
  /** What people call it; empty for the main room. */
  readonly name: string;
  readonly main: boolean;
  readonly people: readonly { readonly jid: string; readonly name: string }[];
}

const MAX_ROOMS = 51;
const MAX_PEOPLE = 1_000;
const MAX_NAME = 100;

type Json = Readonly<Record<string, unknown>>;

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Reads the `rooms` of an update; only those on `host` are rooms. */
export function readBreakouts(rooms: unknown, host: string): BreakoutRoom[] {
  return Object.values(object(rooms)).slice(0, MAX_ROOMS).map(object).flatMap((room) => {
    const jid = string(room.jid);
    const [id = '', at] = jid.split('@');
    if (!id || at !== host) return [];
    const people = Object.values(object(room.participants)).slice(0, MAX_PEOPLE).map(object);
    return [{
      id, jid, name: string(room.name).slice(0, MAX_NAME), main: room.isMainRoom === true,
      people: people.map((one) => ({ jid: string(one.jid), name: string(one.displayName).slice(0, MAX_NAME) })),
    }];
  });
}
