/** The chat as a text file, made in the browser when the person asks for it. */
import type { ChatMessage } from '../conference';
import { language, t } from './i18n';
import { nameOf } from './state';

export function chatAsText(messages: readonly ChatMessage[], nameById: (id: string) => string): string {
  const time = new Intl.DateTimeFormat(language.value, { dateStyle: 'short', timeStyle: 'medium' });
  const line = (message: ChatMessage) => {
    const name = message.own ? t('call.you') : nameOf(message);
    const to = message.privateWith === undefined ? '' : ` (${message.own ? t('chat.privateTo', { name: nameById(message.privateWith) }) : t('chat.privateFrom')})`;
    return `[${time.format(message.time)}] ${name}${to}: ${message.text.replaceAll('\n', '\n    ')}`;
  };
  return messages.map(line).join('\n') + '\n';
}

/** Offers a file to be saved. */
export function saveText(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
