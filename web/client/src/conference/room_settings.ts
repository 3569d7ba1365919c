/** How a room is set up, as the focus tells everybody in it. */

export type Access = 'open' | 'members' | 'lobby' | 'locked';

export interface RoomSettings {
  readonly access: Access;
  readonly password: boolean;
  readonly waitForHost: boolean;
  /** 0 is no limit. */
  readonly maxParticipants: number;
  readonly startAudioMuted: boolean;
  readonly startVideoMuted: boolean;
  readonly lobby: boolean;
  /** Milliseconds since the epoch; 0 while unknown. */
  readonly created: number;
}

type Json = Readonly<Record<string, unknown>>;

export const UNKNOWN: RoomSettings = {
  access: 'open', password: false, waitForHost: false, maxParticipants: 0, startAudioMuted: false, startVideoMuted: false, lobby: false, created: 0,
};

const ACCESS: readonly Access[] = ['open', 'members', 'lobby', 'locked'];

export function readSettings(metadata: Json): RoomSettings {
  const room = asJson(metadata.room);
  const startMuted = asJson(metadata.startMuted);
  const access = ACCESS.find((one) => one === room.access) ?? (metadata.lobbyEnabled === true ? 'lobby' : 'open');
  return {
    access, password: room.password === true, waitForHost: room.waitForHost === true,
    maxParticipants: count(room.maxParticipants), created: count(room.created),
    startAudioMuted: startMuted.audio === true, startVideoMuted: startMuted.video === true,
    lobby: metadata.lobbyEnabled === true || access === 'lobby',
  };
}

function asJson(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function count(value: unknown): number {
  const number = Number(value);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}
