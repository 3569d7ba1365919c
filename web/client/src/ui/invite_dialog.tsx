/** Ways to invite: the link, a mail, a code for a phone's camera, a calendar file. */
import { useMemo, useState } from 'preact/hooks';
import { calendarFile, nextSlot } from './calendar';
import { saveText } from './chat_export';
import { Modal } from './dialog';
import { t } from './i18n';
import { Icon } from './icons';
import { isModerator } from './meeting';
import { qrPath } from './qr';
import { room } from './route';
import { settings } from './settings';
import { conference, copy, copyLink, dialog, roomLink } from './state';

function QrCode({ link }: { link: string }) {
  const code = useMemo(() => {
    try {
      return qrPath(link);
    } catch {
      return undefined; // Too long a name for a code that a camera still reads well.
    }
  }, [link]);
  if (!code) return null;
  return (
    <svg class="qr" viewBox={`0 0 ${code.size} ${code.size}`} role="img" aria-label={t('invite.qr')} data-testid="qr" shape-rendering="crispEdges">
      <rect width={code.size} height={code.size} fill="#fff" />
      <path d={code.path} fill="#000" />
    </svg>
  );
}

/** The value of a datetime-local field, in the person's own time. */
function localValue(date: Date): string {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function Appointment({ link }: { link: string }) {
  const [start, setStart] = useState(() => localValue(nextSlot(new Date())));
  const [length, setLength] = useState(60);
  const save = () => {
    const uid = `${crypto.randomUUID()}@${location.hostname}`;
    const title = t('invite.title', { room: room.value });
    saveText(calendarFile({ uid, title, text: t('invite.text'), link, start: new Date(start), length, now: new Date() }), `${room.value}.ics`, 'text/calendar;charset=utf-8');
  };
  return (
    <fieldset class="appointment">
      <legend>{t('invite.calendar')}</legend>
      <div class="row">
        <label class="field"><span>{t('invite.start')}</span><input type="datetime-local" data-testid="ics-start" value={start} onInput={(event) => setStart(event.currentTarget.value)} /></label>
        <label class="field"><span>{t('invite.minutes')}</span><input type="number" min={5} max={1440} step={5} value={length} onInput={(event) => setLength(Number(event.currentTarget.value) || 60)} /></label>
        <button type="button" class="secondary compact" data-testid="ics" disabled={!start} onClick={save}><Icon name="calendar" />{t('invite.save')}</button>
      </div>
    </fieldset>
  );
}

const WEEK = 7 * 86_400;

/** Links that let somebody past the lobby, or make a moderator; only moderators can make them. */
function SpecialLinks() {
  const [role, setRole] = useState<'participant' | 'moderator'>('participant');
  const [failed, setFailed] = useState(false);
  if (!isModerator.value) return null;
  const make = async () => {
    try {
      const token = await conference!.meeting.invitation(role, WEEK, true);
      setFailed(false);
      await copy(`${roomLink()}?invite=${encodeURIComponent(token)}`, t('toolbar.copied'));
    } catch {
      setFailed(true);
    }
  };
  return (
    <fieldset class="appointment" data-testid="special-links">
      <legend>{t('invite.special')}</legend>
      <p class="note">{t('invite.specialText')}</p>
      <div class="row">
        <label class="field"><span>{t('invite.as')}</span>
          <select value={role} onChange={(event) => setRole(event.currentTarget.value === 'moderator' ? 'moderator' : 'participant')}>
            <option value="participant">{t('invite.participant')}</option>
            <option value="moderator">{t('invite.moderator')}</option>
          </select></label>
        <button type="button" class="secondary compact" data-testid="make-invite" onClick={() => void make()}><Icon name="link" />{t('invite.make')}</button>
      </div>
      {failed ? <p class="problem" role="alert">{t('people.refused')}</p> : null}
    </fieldset>
  );
}

export function InviteDialog() {
  const link = roomLink();
  const from = settings.value.name;
  const subject = t('invite.title', { room: room.value });
  const body = `${t('invite.text')}\n\n${link}\n${from ? `\n${from}\n` : ''}`;
  return (
    <Modal title={t('invite.heading')} id="invite" onClose={() => (dialog.value = 'none')}>
      <button type="button" class="copy" data-testid="invite-copy" aria-label={t('invite.copy', { link })} onClick={() => void copyLink()}><span dir="ltr">{link.replace(/^https?:\/\//, '')}</span><Icon name="link" /></button>
      <div class="row">
        <button type="button" class="secondary compact" data-testid="invite-text" onClick={() => void copy(body, t('invite.textCopied'))}><Icon name="chat" />{t('invite.copyText')}</button>
        <a class="secondary compact button" data-testid="invite-mail" href={`mailto:?subject=${encodeURIComponent(subject)}&body=${encodeURIComponent(body.replaceAll('\n', '\r\n'))}`}><Icon name="mail" />{t('invite.mail')}</a>
      </div>
      <QrCode link={link} />
      <Appointment link={link} />
      <SpecialLinks />
    </Modal>
  );
}
