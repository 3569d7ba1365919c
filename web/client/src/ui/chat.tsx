/** The chat panel: beside the tiles in a wide window, above them on a phone. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from './i18n';
import { Icon } from './icons';
import { conference, messages, nameOf, setChatOpen } from './state';

const LINK = /(https?:\/\/[^\s<>"']+)/g;

function Body({ text }: { text: string }) {
  return (
    <p>
      {text.split(LINK).map((part, i) =>
        i % 2 ? <a key={i} href={part} target="_blank" rel="noopener noreferrer">{part}</a> : part)}
    </p>
  );
}

function clock(time: number): string {
  return new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

export function ChatPanel() {
  const [text, setText] = useState('');
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => input.current?.focus(), []);
  useEffect(() => list.current?.scrollTo({ top: list.current.scrollHeight }), [messages.value]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (!text.trim()) return;
    conference?.sendChat(text.trim());
    setText('');
  };
  return (
    <aside class="chat" data-testid="chat" aria-label={t('chat.heading')}>
      <header>
        <h2>{t('chat.heading')}</h2>
        <button type="button" class="small" aria-label={t('chat.close')} data-testid="close-chat" onClick={() => setChatOpen(false)}><Icon name="close" /></button>
      </header>
      <div ref={list} class="log" role="log" tabIndex={0} aria-label={t('chat.heading')} data-testid="chat-messages"><ol>
        {messages.value.length === 0 ? <li class="empty">{t('chat.empty')}</li> : null}
        {messages.value.map((m, i) => {
          const before = messages.value[i - 1];
          const follows = before?.from === m.from && m.time - before.time < 120_000;
          return (
            <li key={m.id} class={m.own ? 'own' : ''} data-testid="chat-message" data-from={m.from}>
              {follows ? null : <header><b>{m.own ? t('call.you') : nameOf(m)}</b><time>{clock(m.time)}</time></header>}
              <Body text={m.text} />
            </li>
          );
        })}
      </ol></div>
      <form onSubmit={submit}>
        <textarea ref={input} rows={1} data-testid="chat-input" aria-label={t('chat.placeholder')} placeholder={t('chat.placeholder')} value={text} maxLength={4000}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => { if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event); }} />
        <button type="submit" class="small" aria-label={t('chat.send')} data-testid="chat-send" disabled={!text.trim()}><Icon name="send" /></button>
      </form>
    </aside>
  );
}
