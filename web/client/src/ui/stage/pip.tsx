/** A small window above all others with who speaks and the buttons one needs; where the browser has it. */
import { render } from 'preact';
import { MuteButton, ToolButton } from '../controls';
import { t } from '../i18n';
import { leave, nameOf, participants } from '../state';
import { Avatar } from './avatar';
import { Picture } from './picture';
import { largeSpeaker } from './view';

interface DocumentPictureInPicture {
  requestWindow(options: { width: number; height: number }): Promise<Window>;
}

const WIDTH = 380;
const HEIGHT = 280;

let small: Window | undefined;

function api(): DocumentPictureInPicture | undefined {
  return (window as { documentPictureInPicture?: DocumentPictureInPicture }).documentPictureInPicture;
}

export function pipPossible(): boolean {
  return api() !== undefined;
}

function SmallCall() {
  const others = participants.value;
  const screen = others.flatMap((p) => p.screens.map((s) => ({ ...s, name: t('share.of', { name: nameOf(p) }) }))).find((s) => s.stream);
  const person = others.find((p) => p.id === largeSpeaker.value) ?? others[0];
  const stream = screen?.stream ?? (person && !person.videoMuted ? person.video : undefined);
  const name = screen?.name ?? (person ? nameOf(person) : t('call.alone'));
  return (
    <main class="call small-call" data-testid="pip">
      <div class="tile large">
        {stream ? <Picture key={stream.id} stream={stream} whole /> : person ? <Avatar id={person.id} name={nameOf(person)} /> : null}
        <span class="label"><bdi class="name">{name}</bdi></span>
      </div>
      <div class="toolbar">
        <MuteButton kind="audio" />
        <MuteButton kind="video" />
        <ToolButton id="leave" icon="leave" label={t('toolbar.leave')} kind="danger" onClick={leave} />
      </div>
    </main>
  );
}

export async function togglePip(): Promise<void> {
  if (small) {
    small.close();
    return;
  }
  let opened: Window;
  try {
    opened = await api()!.requestWindow({ width: WIDTH, height: HEIGHT });
  } catch {
    return; // The browser wants a click for it, or allows none.
  }
  small = opened;
  const { document: page } = opened;
  page.documentElement.lang = document.documentElement.lang;
  page.documentElement.dir = document.documentElement.dir;
  page.title = document.title;
  for (const sheet of document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')) {
    const link = page.createElement('link');
    link.rel = 'stylesheet';
    link.href = sheet.href;
    page.head.append(link);
  }
  render(<SmallCall />, page.body);
  opened.addEventListener('pagehide', () => {
    render(null, page.body);
    small = undefined;
  });
}

/** The call is over. */
export function closePip(): void {
  small?.close();
}
