/** An invitation as a calendar file (RFC 5545). */

export interface Appointment {
  readonly uid: string;
  readonly title: string;
  readonly text: string;
  readonly link: string;
  readonly start: Date;
  /** Minutes. */
  readonly length: number;
  readonly now: Date;
}

function stamp(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, '');
}

function escape(text: string): string {
  return text.replace(/[\\;,]/g, '\\$&').replace(/\r?\n/g, '\\n');
}

/** Lines of at most 75 octets, never cut within a character (3.1). */
function fold(line: string): string {
  const encoder = new TextEncoder();
  let [folded, length] = ['', 0];
  for (const character of line) {
    const octets = encoder.encode(character).length;
    if (length + octets > 75) [folded, length] = [`${folded}\r\n `, 1];
    folded += character;
    length += octets;
  }
  return folded;
}

export function calendarFile(appointment: Appointment): string {
  const { uid, title, text, link, start, length, now } = appointment;
  return [
    'BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//xmppconf//client//EN', 'METHOD:PUBLISH',
    'BEGIN:VEVENT', `UID:${uid}`, `DTSTAMP:${stamp(now)}`, `DTSTART:${stamp(start)}`, `DTEND:${stamp(new Date(start.getTime() + length * 60_000))}`,
    `SUMMARY:${escape(title)}`, `DESCRIPTION:${escape(`${text}\n${link}`)}`, `LOCATION:${escape(link)}`, `URL:${link}`,
    `CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:${link}`,
    'END:VEVENT', 'END:VCALENDAR',
  ].map(fold).join('\r\n') + '\r\n';
}

/** The next full or half hour, as a calendar would propose. */
export function nextSlot(now: Date): Date {
  const half = 30 * 60_000;
  return new Date(Math.ceil((now.getTime() + 1) / half) * half);
}
