/** What somebody wrote, with its links made to work; all else stays text. */
import { t } from './i18n';

const LINK = /(https?:\/\/[^\s<>"'\u200b-\u200f\u202a-\u202e\u2066-\u2069]+)/g;
/** Marks that end a sentence rather than an address. */
const TRAILING = /[.,;:!?)\]}»”]+$/;

export interface Part {
  readonly text: string;
  readonly href?: string;
}

/** Splits a text into plain parts and links whose host can be read. */
export function parts(text: string): Part[] {
  return text.split(LINK).flatMap((part, index): Part[] => {
    if (index % 2 === 0) return part ? [{ text: part }] : [];
    const trailing = TRAILING.exec(part)?.[0] ?? '';
    const address = part.slice(0, part.length - trailing.length);
    let url: URL;
    try {
      url = new URL(address);
    } catch {
      return [{ text: part }];
    }
    // A name before the @ is made to look like the host: that is no link here.
    if (url.username || url.password) return [{ text: part }];
    return [{ text: address, href: url.href }, ...(trailing ? [{ text: trailing }] : [])];
  });
}

export function ChatText({ text }: { text: string }) {
  return (
    <p dir="auto">
      {parts(text).map((part, index) => part.href
        ? <a key={index} href={part.href} target="_blank" rel="noopener noreferrer nofollow ugc" title={t('chat.opens', { host: new URL(part.href).host })}>{part.text}</a>
        : part.text)}
    </p>
  );
}
