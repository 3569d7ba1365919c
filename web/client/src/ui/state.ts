/** What the pages show, as signals, fed by the conference library's events. */
import { computed, signal } from '@preact/signals';
import { Conference, LocalMedia, readConfig, roomLocalPart } from '../conference';
import type { ChatMessage, ConferenceState, DeviceProblem, FailureReason, Kind, Participant, Statistics } from '../conference';
import { t } from './i18n';
import { change, remember, settings } from './settings';
import { playJoin, playLeave } from './sound';

export type Page = 'start' | 'prejoin' | 'call' | 'left';
export type Dialog = 'none' | 'settings' | 'help';

export const page = signal<Page>('start');
export const room = signal('');
export const conferenceState = signal<ConferenceState>('idle');
export const failure = signal<FailureReason | undefined>(undefined);
export const participants = signal<readonly Participant[]>([]);
export const dominantSpeaker = signal<string | undefined>(undefined);
export const media = signal<'none' | 'connected' | 'interrupted'>('none');
export const statistics = signal<Statistics | undefined>(undefined);
export const messages = signal<readonly ChatMessage[]>([]);
export const unread = signal(0);
export const chatOpen = signal(false);
export const dialog = signal<Dialog>('none');
/** Short news for the eye; the live region reads them aloud. */
export const toasts = signal<readonly { id: number; text: string }[]>([]);
export const announcement = signal('');
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
const TOAST_MS = 4_000;

export let conference: Conference | undefined;
let local: LocalMedia | undefined;
let toastId = 0;

export function toast(text: string): void {
  const id = ++toastId;
  toasts.value = [...toasts.value.slice(-2), { id, text }];
  announcement.value = text;
  setTimeout(() => (toasts.value = toasts.value.filter((other) => other.id !== id)), TOAST_MS);
}

export function nameOf(participant: { readonly name: string }): string {
  return participant.name || t.call.guest;
}

/** Shows the page that the address stands for. */
export function route(): void {
  const name = roomLocalPart(location.pathname.slice(1));
  conference?.leave();
  if (!name) {
    room.value = '';
    page.value = 'start';
    document.title = t.product;
    return;
  }
  room.value = name;
  document.title = `${name} · ${t.product}`;
  enterPrejoin();
}

export function openRoom(name: string): void {
  history.pushState(null, '', name ? `/${encodeURIComponent(name)}` : '/');
  route();
}

export function enterPrejoin(): void {
  page.value = 'prejoin';
  failure.value = undefined;
  conferenceState.value = 'idle';
  local?.close();
  local = new LocalMedia();
  conference = new Conference(readConfig(window.config, location.origin), room.value, local);
  follow(conference, local);
  const { camera: cameraOn, microphone: microphoneOn, cameraDevice, microphoneDevice } = settings.value;
  conference.preconnect();
  void start(local, 'audio', microphoneOn, microphoneDevice);
  void start(local, 'video', cameraOn, cameraDevice);
}

async function start(media: LocalMedia, kind: Kind, on: boolean, device: string): Promise<void> {
  const view = kind === 'audio' ? microphone : camera;
  view.value = { enabled: on, muted: true, opening: on };
  if (device) media.prefer(kind, device);
  await media.setEnabled(kind, on);
}

function follow(conf: Conference, media_: LocalMedia): void {
  const mine = () => conference === conf;
  const refresh = (kind: Kind) => {
    if (local !== media_) return;
    const view: LocalView = {
      track: media_.track(kind), enabled: media_.enabled(kind), muted: media_.muted(kind), problem: media_.problems[kind], opening: false,
    };
    const shown = kind === 'audio' ? microphone : camera;
    const asked = shown.value.opening;
    shown.value = view;
    // Before the call the page itself has room for the reason.
    if (asked && view.problem && page.value === 'call') toast(t.problem(kind, view.problem));
  };
  media_.on('changed', refresh);
  conf.on('state', ({ state, reason }) => {
    if (!mine()) return;
    const before = conferenceState.value;
    conferenceState.value = state;
    failure.value = reason;
    if (state === 'joined' && before === 'reconnecting') announcement.value = t.call.joined(t.call.you);
    if (state === 'left' || state === 'failed') page.value = 'left';
  });
  conf.on('participants', (list) => mine() && (participants.value = list));
  conf.on('dominantSpeaker', (id) => mine() && (dominantSpeaker.value = id));
  conf.on('media', (state) => mine() && (media.value = state));
  conf.on('statistics', (s) => mine() && (statistics.value = s));
  const joinedAt = () => conf.timings.roomJoined;
  conf.on('joined', (p) => {
    // Who was there before us is no news.
    if (!mine() || joinedAt() === undefined || conferenceState.value !== 'joined') return;
    toast(t.call.joined(nameOf(p)));
    if (settings.value.joinSound) playJoin();
  });
  conf.on('left', (p) => {
    if (!mine()) return;
    toast(t.call.left(nameOf(p)));
    if (settings.value.joinSound) playLeave();
  });
  conf.on('chat', (message) => {
    if (!mine()) return;
    messages.value = [...messages.value, message].slice(-MAX_MESSAGES);
    if (!message.own && !chatOpen.value) {
      unread.value++;
      toast(t.chat.from(nameOf(message)));
    }
  });
}

export function join(name: string): void {
  change({ name: name.trim() });
  remember(room.value);
  messages.value = [];
  unread.value = 0;
  chatOpen.value = false;
  page.value = 'call';
  conference?.join(name.trim());
}

export function leave(): void {
  conference?.leave();
}

export function toggle(kind: Kind): void {
  if (!local) return;
  const on = !(kind === 'audio' ? microphone.value.enabled && !microphone.value.problem : camera.value.enabled && !camera.value.problem);
  if (on) {
    const view = kind === 'audio' ? microphone : camera;
    if (!view.value.track) view.value = { enabled: true, muted: true, opening: true };
  }
  change(kind === 'audio' ? { microphone: on } : { camera: on });
  void local.setEnabled(kind, on);
}

/** Opens the microphone while a key is held; the remembered setting does not change. */
export function talk(on: boolean): void {
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

export function setChatOpen(open: boolean): void {
  chatOpen.value = open;
  if (open) unread.value = 0;
}

export async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href);
    toast(t.toolbar.copied);
  } catch {
    toast(location.href); // No clipboard: at least it can be read off.
  }
}
