/** What the pages show, as signals, fed by the conference library's events. */
import { computed, signal } from '@preact/signals';
import type { ChatMessage, Conference, ConferenceState, DeviceProblem, FailureReason, Kind, ModeratedKind, Participant, Path, Statistics, Waiting } from '../conference';
import { LocalMedia } from '../conference/devices';
import { announcement, toast } from './announce';
import { t } from './i18n';
import { credentials } from './identity';
import { invitation, page, room, roomPath } from './route';
import { change, remember, settings } from './settings';
import { playJoin, playLeave } from './sound';

export type Dialog = 'none' | 'settings' | 'help' | 'invite' | 'security' | 'speakers';
export type Panel = 'none' | 'chat' | 'people' | 'polls' | 'breakout';

export const conferenceState = signal<ConferenceState>('idle');
export const failure = signal<FailureReason | undefined>(undefined);
export const participants = signal<readonly Participant[]>([]);
export const dominantSpeaker = signal<string | undefined>(undefined);
export const media = signal<'none' | 'connected' | 'interrupted'>('none');
/** Whether two people are connected directly; several are through the bridge. */
export const path = signal<Path>('bridge');
/** Whether a screen of ours is shared. */
export const sharing = signal(false);
export const statistics = signal<Statistics | undefined>(undefined);
export const messages = signal<readonly ChatMessage[]>([]);
export const unread = signal(0);
/** To whom the chat writes; undefined is everybody. */
export const chatWith = signal<string | undefined>(undefined);
/** What is open beside the stage. */
export const panel = signal<Panel>('none');
/** For whom or what one waits before the room; stays while the next attempt is under way. */
export const waitingFor = signal<Waiting | undefined>(undefined);
export const dialog = signal<Dialog>('none');
export const soundBlocked = signal(false);

export interface LocalView {
  readonly track?: MediaStreamTrack;
  readonly enabled: boolean;
  readonly muted: boolean;
  readonly problem?: DeviceProblem;
  readonly opening: boolean;
}
const CLOSED: LocalView = { enabled: false, muted: true, opening: false };
export const microphone = signal<LocalView>(CLOSED);
export const camera = signal<LocalView>(CLOSED);
export const inCall = computed(() => ['connecting', 'joined', 'reconnecting'].includes(conferenceState.value));

const MAX_MESSAGES = 500;

/** Undefined until its code is loaded, which begins with the page before the call. */
export let conference: Conference | undefined;
let local: LocalMedia | undefined;
/** The name of who pressed join before the code was there. */
let waiting: string | undefined;
/** Called with each new conference, and how to ask whether it is still the one shown. */
const followers: ((conf: Conference, mine: () => boolean) => void)[] = [];

export function onConference(follower: (conf: Conference, mine: () => boolean) => void): void {
  followers.push(follower);
}

export function nameOf(participant: { readonly name: string }): string {
  return participant.name || t('call.guest');
}

export function enterPrejoin(): void {
  page.value = 'prejoin';
  failure.value = undefined;
  waitingFor.value = undefined;
  conferenceState.value = 'idle';
  local?.close();
  const devices = (local = new LocalMedia());
  followDevices(devices);
  conference = undefined;
  waiting = undefined;
  void openConference(devices, room.value);
  const { camera: cameraOn, microphone: microphoneOn, cameraDevice, microphoneDevice } = settings.value;
  void start(devices, 'audio', microphoneOn, microphoneDevice);
  void start(devices, 'video', cameraOn, cameraDevice);
}

async function openConference(devices: LocalMedia, name: string): Promise<void> {
  try {
    const { Conference, readConfig } = await import('../conference');
    if (local !== devices) return;
    conference = new Conference(readConfig(window.config, location.origin), name, devices, credentials(invitation()));
    follow(conference);
    conference.allowDirect(settings.value.direct);
    conference.preconnect();
    if (waiting !== undefined) conference.join(waiting);
  } catch {
    if (local !== devices) return;
    failure.value = 'server-unreachable';
    conferenceState.value = 'failed';
    page.value = 'left';
  }
}

async function start(media: LocalMedia, kind: Kind, on: boolean, device: string): Promise<void> {
  const view = kind === 'audio' ? microphone : camera;
  view.value = { enabled: on, muted: true, opening: on };
  if (device) media.prefer(kind, device);
  await media.setEnabled(kind, on);
}

function followDevices(devices: LocalMedia): void {
  devices.on('changed', (kind) => {
    if (local !== devices) return;
    const view: LocalView = {
      track: devices.track(kind), enabled: devices.enabled(kind), muted: devices.muted(kind), problem: devices.problems[kind], opening: false,
    };
    const shown = kind === 'audio' ? microphone : camera;
    const asked = shown.value.opening;
    shown.value = view;
    // Before the call the page itself has room for the reason.
    if (asked && view.problem && page.value === 'call') toast(t(`problem.${kind}.${view.problem}`));
  });
}

function follow(conf: Conference): void {
  const mine = () => conference === conf;
  // Of a call that was left by the browser's button "back" something may stand there yet.
  participants.value = [];
  dominantSpeaker.value = statistics.value = undefined;
  media.value = 'none';
  path.value = 'bridge';
  sharing.value = false;
  followers.forEach((follower) => follower(conf, mine));
  conf.on('state', ({ state, reason, waiting: what }) => {
    if (!mine()) return;
    const before = conferenceState.value;
    conferenceState.value = state;
    failure.value = reason;
    if (state === 'joined' && before === 'reconnecting') announcement.value = t('call.back');
    if (state === 'waiting') waitingFor.value = what;
    else if (state !== 'connecting' && state !== 'reconnecting') waitingFor.value = undefined;
    if (state === 'left' || state === 'failed') {
      forgetTalk();
      page.value = 'left';
    }
  });
  conf.on('participants', (list) => mine() && (participants.value = list));
  conf.on('dominantSpeaker', (id) => mine() && (dominantSpeaker.value = id));
  conf.on('media', (state) => mine() && (media.value = state));
  conf.on('path', (which) => mine() && (path.value = which));
  conf.on('sharing', (on) => mine() && (sharing.value = on));
  conf.on('statistics', (s) => mine() && (statistics.value = s));
  const joinedAt = () => conf.timings.roomJoined;
  conf.on('joined', (p) => {
    // Who was there before us is no news.
    if (!mine() || joinedAt() === undefined || conferenceState.value !== 'joined') return;
    toast(t('call.joined', { name: nameOf(p) }));
    if (settings.value.joinSound) playJoin();
  });
  conf.on('left', (p) => {
    if (!mine()) return;
    toast(t('call.left', { name: nameOf(p) }));
    if (settings.value.joinSound) playLeave();
  });
  conf.on('chatRefused', () => mine() && toast(t('chat.refused')));
  conf.on('chat', (message) => {
    if (!mine()) return;
    messages.value = [...messages.value, message].slice(-MAX_MESSAGES);
    if (!message.own && panel.value !== 'chat') {
      unread.value++;
      toast(message.privateWith === undefined ? t('chat.from', { name: nameOf(message) }) : t('chat.fromPrivate', { name: nameOf(message) }));
    }
  });
}

export function join(name: string): void {
  change({ name: name.trim() });
  remember(room.value);
  forgetTalk();
  page.value = 'call';
  waiting = name.trim();
  if (conference) conference.join(waiting);
  else conferenceState.value = 'connecting';
}

/** Nothing of a call is kept once it is over. */
function forgetTalk(): void {
  messages.value = [];
  unread.value = 0;
  chatWith.value = undefined;
  panel.value = 'none';
  dialog.value = 'none';
}

export function leave(): void {
  waiting = undefined;
  if (conference) conference.leave();
  else if (page.value === 'call') {
    local?.close();
    conferenceState.value = 'left';
    page.value = 'left';
  }
}

/** Lets go of a room whose pages are no longer shown. */
export function abandon(): void {
  const [gone, devices] = [conference, local];
  conference = undefined;
  local = undefined;
  waiting = undefined;
  gone?.leave();
  devices?.close();
}

/** Whether something may not be switched on now; says why. */
function isHindered(kind: ModeratedKind): boolean {
  const hindrance = conference?.meeting.hindrance(kind);
  if (!hindrance) return false;
  if (hindrance === 'moderated') toast(t('people.needLeave'));
  else toast(kind === 'audio' ? t('people.fullAudio') : t('people.fullVideo'));
  return true;
}

export function toggle(kind: Kind): void {
  if (!local) return;
  const on = !(kind === 'audio' ? microphone.value.enabled && !microphone.value.problem : camera.value.enabled && !camera.value.problem);
  if (on && page.value === 'call' && isHindered(kind)) return;
  if (on) {
    const view = kind === 'audio' ? microphone : camera;
    if (!view.value.track) view.value = { enabled: true, muted: true, opening: true };
  }
  change(kind === 'audio' ? { microphone: on } : { camera: on });
  void local.setEnabled(kind, on);
}

/** Begins to share a screen, or ends it. */
export async function toggleShare(): Promise<void> {
  if (!conference) return;
  if (sharing.value) conference.screen.stop();
  else if (isHindered('desktop')) return;
  else if (await conference.screen.start()) toast(t('share.failed'));
}

/** Opens the microphone while a key is held; the remembered setting does not change. */
export function talk(on: boolean): void {
  if (on && isHindered('audio')) return;
  if (local?.track('audio')) void local.setEnabled('audio', on);
}

export function chooseDevice(kind: Kind, id: string): void {
  change(kind === 'audio' ? { microphoneDevice: id } : { cameraDevice: id });
  void local?.choose(kind, id);
}

export function setName(name: string): void {
  change({ name: name.trim() });
  conference?.setName(name.trim());
}

export function showPanel(shown: Panel): void {
  panel.value = shown;
  if (shown === 'chat') unread.value = 0;
}

export function togglePanel(which: Panel): void {
  showPanel(panel.value === which ? 'none' : which);
}

/** The link to this room, without anything that came with ours. */
export function roomLink(): string {
  return location.origin + roomPath(room.value);
}

export async function copy(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast(text); // No clipboard: at least it can be read off.
  }
}

export function copyLink(): Promise<void> {
  return copy(roomLink(), t('toolbar.copied'));
}
