/** What the meeting decides together, as signals: roles, lobby, polls, hands, reactions. */
import { computed, signal } from '@preact/signals';
import type { BreakoutRoom, Conference, ModeratedKind, Moderation, Poll, RoomSettings, SpeakerTime, Visitor } from '../conference';
import { announce, toast } from './announce';
import { goTo } from './go_to';
import { t } from './i18n';
import { dropHold } from './push_to_talk';
import { REASONS } from './reporting';
import { settings } from './settings';
import { playNotice } from './sound';
import { conference, nameOf, onConference, panel, participants } from './state';

export const isModerator = signal(false);
export const roomSettings = signal<RoomSettings | undefined>(undefined);
export const moderation = signal<Moderation | undefined>(undefined);
export const polls = signal<readonly Poll[]>([]);
/** Polls that came while their panel was closed. */
export const newPolls = signal(0);
export const speakerTimes = signal<readonly SpeakerTime[]>([]);
export const lobby = signal<readonly Visitor[]>([]);
export const subject = signal('');
export const breakouts = signal<readonly BreakoutRoom[]>([]);
export const handUp = signal(false);
/** What a moderator asks us to switch on. */
export const askedToUnmute = signal<{ kind: ModeratedKind; by: string } | undefined>(undefined);

/** Who raised a hand, first come first. */
export const hands = computed(() =>
  participants.value.filter((p) => p.raisedHand !== undefined).sort((a, b) => a.raisedHand! - b.raisedHand!));

export interface ShownReaction {
  readonly key: number;
  readonly emoji: string;
  readonly name: string;
}
/** Reactions that float now. */
export const reactions = signal<readonly ShownReaction[]>([]);

/** The stock names and what is shown for each. */
export const REACTIONS = {
  like: '👍', clap: '👏', laugh: '😂', surprised: '😮', boo: '👎', silence: '🤫', love: '❤️',
} as const;
export type Reaction = keyof typeof REACTIONS;

const MESSAGE = 'endpoint-reaction';
const REACTION_MS = 3_500;
const MAX_REACTIONS = 20;
/** From one message no more than this is shown. */
const MAX_AT_ONCE = 5;

let reactionKey = 0;

function reset(): void {
  isModerator.value = false;
  roomSettings.value = undefined;
  moderation.value = undefined;
  polls.value = [];
  newPolls.value = 0;
  speakerTimes.value = [];
  lobby.value = [];
  subject.value = '';
  breakouts.value = [];
  handUp.value = false;
  askedToUnmute.value = undefined;
  reactions.value = [];
}

function nameById(id: string): string {
  return nameOf(participants.value.find((p) => p.id === id) ?? { name: '' });
}

/** Feeds the signals from a conference until `mine` says that it is over. */
function follow(conf: Conference, mine: () => boolean): void {
  reset();
  const { meeting } = conf;
  meeting.on('moderator', (on) => {
    if (!mine()) return;
    if (on && !isModerator.value) announce(t('people.youModerate'));
    isModerator.value = on;
  });
  meeting.on('settings', (value) => mine() && (roomSettings.value = value));
  meeting.on('moderation', (value) => mine() && (moderation.value = value));
  meeting.on('subject', (value) => mine() && (subject.value = value));
  meeting.on('speakerTimes', (value) => mine() && (speakerTimes.value = value));
  meeting.on('lobby', (visitors) => {
    if (!mine()) return;
    const before = new Set(lobby.value.map((one) => one.id));
    const fresh = visitors.find((one) => !before.has(one.id));
    lobby.value = visitors;
    if (!fresh) return;
    announce(t('lobby.knocks', { name: nameOf(fresh) }));
    if (settings.value.joinSound) playNotice();
  });
  meeting.on('polls', (list) => {
    if (!mine()) return;
    const fresh = list.length - polls.value.length;
    polls.value = list;
    if (fresh <= 0 || panel.value === 'polls') return;
    newPolls.value += fresh;
    toast(t('polls.new'));
  });
  meeting.on('askedToUnmute', (asked) => {
    if (!mine()) return;
    askedToUnmute.value = asked;
    announce(asked.kind === 'audio' ? t('people.askedAudio', { name: nameById(asked.by) }) : t('people.askedVideo', { name: nameById(asked.by) }));
  });
  meeting.on('breakouts', (rooms) => mine() && (breakouts.value = rooms));
  meeting.on('sentTo', (there) => mine() && goTo(there));
  meeting.on('reported', ({ id, kind, elsewhere }) => {
    if (!mine()) return;
    const reason = t(REASONS[kind]);
    if (!elsewhere) toast(t('report.reported', { name: nameById(id), reason }));
    else toast(t('report.reportedElsewhere', { name: nameOf(elsewhere), room: elsewhere.room || t('breakout.main'), reason }));
  });
  meeting.on('muted', ({ kind }) => {
    if (!mine()) return;
    if (kind === 'audio') dropHold();
    if (kind === 'desktop') conf.screen.stop();
    toast(kind === 'audio' ? t('people.mutedAudio') : kind === 'video' ? t('people.mutedVideo') : t('people.mutedScreen'));
  });
  const raised = new Set<string>();
  conf.on('participants', (list) => {
    if (!mine()) return;
    for (const p of list) {
      if (p.raisedHand === undefined) raised.delete(p.id);
      else if (!raised.has(p.id)) {
        raised.add(p.id);
        toast(t('people.hand', { name: nameOf(p) }));
        if (settings.value.joinSound) playNotice();
      }
    }
  });
  conf.on('endpointMessage', ({ from, payload }) => mine() && onMessage(from, payload as Record<string, unknown>));
}

onConference(follow);

function onMessage(from: string, payload: Record<string, unknown>): void {
  if (payload.name !== MESSAGE || !Array.isArray(payload.reactions)) return;
  const known = payload.reactions.filter((one): one is Reaction => typeof one === 'string' && Object.hasOwn(REACTIONS, one));
  for (const one of known.slice(0, MAX_AT_ONCE)) show(one, nameById(from));
}

function show(reaction: Reaction, name: string): void {
  const key = ++reactionKey;
  reactions.value = [...reactions.value, { key, emoji: REACTIONS[reaction], name }].slice(-MAX_REACTIONS);
  setTimeout(() => (reactions.value = reactions.value.filter((one) => one.key !== key)), REACTION_MS);
}

export function react(reaction: Reaction): void {
  show(reaction, t('call.you'));
  conference?.sendEndpointMessage({ name: MESSAGE, reactions: [reaction], timestamp: Date.now() });
}

export function toggleHand(): void {
  handUp.value = !handUp.value;
  conference?.raiseHand(handUp.value);
}

/** Runs what may be refused, and says so if it is. */
export function attempt(promise: Promise<unknown> | undefined): void {
  promise?.catch(() => toast(t('people.refused')));
}
