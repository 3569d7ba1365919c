/** The chat: everybody's messages and private ones, with replies; all of it is gone after the call. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ChatMessage } from '../conference';
import { chatAsText, saveText } from './chat_export';
import { ChatText } from './chat_text';
import { language, t } from './i18n';
import { Icon } from './icons';
import { Panel } from './panel';
import { room } from './route';
import { chatWith, conference, messages, nameOf, participants } from './state';

const GROUP_MS = 120_000;

function clock(time: number): string {
  return new Date(time).toLocaleTimeString(language.value, { hour: '2-digit', minute: '2-digit' });
}

/** Names of who has left stay known as long as they wrote something. */
function nameById(id: string): string {
  const here = participants.value.find((p) => p.id === id);
  return nameOf(here ?? messages.value.find((m) => m.from === id) ?? { name: '' });
}

function Message({ message, follows, onReply }: { message: ChatMessage; follows: boolean; onReply: () => void }) {
  const { own, privateWith, replyTo } = message;
  const answered = replyTo === undefined ? undefined : messages.value.find((m) => m.id === replyTo);
  const name = own ? t('call.you') : nameOf(message);
  return (
    <li class={[own && 'own', privateWith !== undefined && 'private'].filter(Boolean).join(' ')} data-testid="chat-message" data-from={message.from}
      data-private={privateWith === undefined ? undefined : 'true'}>
      {follows ? null : (
        <header>
          <b><bdi>{name}</bdi></b>
          {privateWith === undefined ? null : <span class="private-mark">{own ? t('chat.privateTo', { name: nameById(privateWith) }) : t('chat.privateFrom')}</span>}
          <time>{clock(message.time)}</time>
        </header>
      )}
      {answered ? <blockquote data-testid="chat-quote"><b><bdi>{answered.own ? t('call.you') : nameOf(answered)}</bdi></b> <span dir="auto">{answered.text}</span></blockquote> : null}
      <div class="bubble">
        <ChatText text={message.text} />
        <button type="button" class="small reply" aria-label={t('chat.replyTo', { name })} title={t('chat.reply')} data-testid="chat-reply" onClick={onReply}><Icon name="reply" /></button>
      </div>
    </li>
  );
}

export function ChatPanel() {
  const [text, setText] = useState('');
  const [replying, setReplying] = useState<ChatMessage | undefined>(undefined);
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const to = chatWith.value;
  useEffect(() => input.current?.focus(), [replying, to]);
  useEffect(() => list.current?.scrollTo({ top: list.current.scrollHeight }), [messages.value]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (!text.trim()) return;
    conference?.sendChat(text.trim(), to, replying?.id);
    setText('');
    setReplying(undefined);
  };
  const reply = (message: ChatMessage) => {
    setReplying(message);
    if (message.privateWith !== undefined) chatWith.value = message.privateWith;
  };
  const here = to === undefined || participants.value.some((p) => p.id === to);
  const save = () => saveText(chatAsText(messages.value, nameById), `${room.value}.txt`, 'text/plain;charset=utf-8');
  const tools = messages.value.length > 0
    ? <button type="button" class="small" aria-label={t('chat.export')} title={t('chat.export')} data-testid="chat-export" onClick={save}><Icon name="download" /></button> : null;
  return (
    <Panel id="chat" title={t('chat.heading')} tools={tools}>
      <div ref={list} class="log" role="log" tabIndex={0} aria-label={t('chat.heading')} data-testid="chat-messages"><ol>
        {messages.value.length === 0 ? <li class="empty">{t('chat.empty')}</li> : null}
        {messages.value.map((message, index) => {
          const before = messages.value[index - 1];
          const follows = before?.from === message.from && before.privateWith === message.privateWith && message.time - before.time < GROUP_MS;
          return <Message key={message.id} message={message} follows={follows} onReply={() => reply(message)} />;
        })}
      </ol></div>
      <form onSubmit={submit}>
        <label class="chat-to">
          <span>{t('chat.to')}</span>
          <select data-testid="chat-to" value={to ?? ''} onChange={(event) => (chatWith.value = event.currentTarget.value || undefined)}>
            <option value="">{t('chat.everybody')}</option>
            {participants.value.map((p) => <option key={p.id} value={p.id}>{nameOf(p)}</option>)}
            {here ? null : <option value={to}>{t('chat.gone')}</option>}
          </select>
        </label>
        {replying ? (
          <div class="replying" data-testid="replying">
            <Icon name="reply" /><span dir="auto">{replying.text}</span>
            <button type="button" class="small" aria-label={t('chat.noReply')} onClick={() => setReplying(undefined)}><Icon name="close" /></button>
          </div>
        ) : null}
        <div class="composer">
          <textarea ref={input} rows={1} data-testid="chat-input" dir={text ? 'auto' : undefined} value={text} maxLength={4000}
            aria-label={to === undefined ? t('chat.placeholder') : t('chat.placeholderTo', { name: nameById(to) })}
            placeholder={to === undefined ? t('chat.placeholder') : t('chat.placeholderTo', { name: nameById(to) })}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => { if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event); }} />
          <button type="submit" class="small" aria-label={t('chat.send')} data-testid="chat-send" disabled={!text.trim() || !here}><Icon name="send" /></button>
        </div>
      </form>
    </Panel>
  );
}
