/**
 * By what the server knows this browser again.  A guest is known as long as the tab is open; who
 * signs in stays known until signing out.
 */
import { signal } from '@preact/signals';
import type { Credentials } from '../conference';

export interface SignedIn {
  readonly machineUid: string;
  readonly sessionId: string;
  readonly name: string;
}

const KEY = 'xmppconf-session';
const VISIT = 'xmppconf-visit';
const UID = /^[0-9a-f]{32}$/;

function load(): SignedIn | undefined {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Partial<SignedIn> | null;
    if (stored && UID.test(String(stored.machineUid)) && typeof stored.sessionId === 'string') {
      return { machineUid: stored.machineUid!, sessionId: stored.sessionId, name: String(stored.name ?? '') };
    }
  } catch {
    // Storage is off or holds something foreign: a guest.
  }
  return undefined;
}

export const signedIn = signal<SignedIn | undefined>(load());

function store(session: SignedIn | undefined): void {
  signedIn.value = session;
  try {
    if (session) localStorage.setItem(KEY, JSON.stringify(session));
    else localStorage.removeItem(KEY);
  } catch {
    // Known until the page is closed.
  }
}

let visitUid: string | undefined;

export function machineUid(): string {
  if (signedIn.value) return signedIn.value.machineUid;
  try {
    visitUid ??= sessionStorage.getItem(VISIT) ?? undefined;
  } catch {
    // As above.
  }
  if (!visitUid || !UID.test(visitUid)) visitUid = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
  try {
    sessionStorage.setItem(VISIT, visitUid);
  } catch {
    // As above.
  }
  return visitUid;
}

/** For one conference; what the focus renews or takes back is remembered. */
export function credentials(invite: string | undefined): Credentials {
  return {
    machineUid: machineUid(),
    invite,
    get sessionId() {
      return signedIn.value?.sessionId;
    },
    set sessionId(id: string | undefined) {
      if (id === undefined) store(undefined);
      else if (signedIn.value) store({ ...signedIn.value, sessionId: id });
    },
  };
}

export interface LoginWays {
  /** False where guests wait for a member. */
  readonly open: boolean;
  readonly password: boolean;
  /** The label of the single sign-on, if there is one. */
  readonly oidc: string | null;
}

export type LoginFailure = 'refused' | 'later' | 'unavailable';

/** How people sign in here; undefined until it is known, and where nobody can. */
export const ways = signal<LoginWays | undefined>(undefined);

/** Asks the server how people sign in, if config.js says that they can. */
export async function askWays(): Promise<void> {
  if ((window.config as { signIn?: unknown } | undefined)?.signIn !== true) return;
  const answer = await loginWays();
  ways.value = answer && (answer.password || answer.oidc !== null) ? answer : undefined;
}

async function loginWays(): Promise<LoginWays | undefined> {
  try {
    const response = await fetch('/login/ways', { cache: 'no-store' });
    if (!response.ok) return undefined;
    const answer = (await response.json()) as Partial<LoginWays>;
    return { open: answer.open === true, password: answer.password === true, oidc: typeof answer.oidc === 'string' ? answer.oidc : null };
  } catch {
    return undefined;
  }
}

async function post(path: string, body: object): Promise<Record<string, unknown> | LoginFailure> {
  try {
    const response = await fetch(path, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), cache: 'no-store',
    });
    if (response.ok) return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
    return response.status === 403 ? 'refused' : response.status === 429 ? 'later' : 'unavailable';
  } catch {
    return 'unavailable';
  }
}

function take(answer: Record<string, unknown>, uid: string): void {
  store({ machineUid: uid, sessionId: String(answer.sessionId), name: String(answer.name ?? answer.identity ?? '') });
}

/** Undefined when it worked. */
export async function signIn(user: string, password: string): Promise<LoginFailure | undefined> {
  const uid = machineUid();
  const answer = await post('/login', { user, password, machineUid: uid });
  if (typeof answer === 'string') return answer;
  take(answer, uid);
  return undefined;
}

/** Goes to the single sign-on, which comes back to `/login/callback`. */
export async function beginSingleSignOn(room: string): Promise<LoginFailure | undefined> {
  const answer = await post('/login/oidc', { machineUid: machineUid(), room });
  if (typeof answer === 'string') return answer;
  location.assign(String(answer.url));
  return undefined;
}

/** After the single sign-on: the room that one wanted to enter, or why not. */
export async function finishSingleSignOn(query: URLSearchParams): Promise<{ room: string } | LoginFailure> {
  const uid = machineUid();
  const answer = await post('/login/oidc/finish', { code: query.get('code') ?? '', state: query.get('state') ?? '', machineUid: uid });
  if (typeof answer === 'string') return answer;
  take(answer, uid);
  return { room: String(answer.room ?? '') };
}

export async function signOut(): Promise<void> {
  const session = signedIn.value;
  store(undefined);
  if (session) await post('/logout', { sessionId: session.sessionId });
}
