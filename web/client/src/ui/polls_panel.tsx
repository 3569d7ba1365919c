/** Questions to everybody, with the votes as they come. */
import { useEffect, useState } from 'preact/hooks';
import type { Poll } from '../conference';
import { MAX_OPTIONS, MAX_POLL_TEXT } from '../conference/polls';
import { t } from './i18n';
import { Icon } from './icons';
import { newPolls, polls } from './meeting';
import { Panel } from './panel';
import { conference, nameOf, participants } from './state';

function NewPoll({ onDone }: { onDone: () => void }) {
  const [question, setQuestion] = useState('');
  const [options, setOptions] = useState(['', '']);
  const filled = options.map((one) => one.trim()).filter(Boolean);
  const ready = question.trim() !== '' && filled.length >= 2;
  const submit = (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    conference?.meeting.openPoll(question.trim(), filled);
    onDone();
  };
  return (
    <form class="stack poll-form" onSubmit={submit} data-testid="poll-form">
      <label class="field"><span>{t('polls.question')}</span>
        <input data-testid="poll-question" value={question} maxLength={MAX_POLL_TEXT} onInput={(event) => setQuestion(event.currentTarget.value)} autofocus /></label>
      {options.map((option, index) => (
        <label key={index} class="field"><span>{t('polls.option', { number: index + 1 })}</span>
          <input data-testid="poll-option" value={option} maxLength={MAX_POLL_TEXT}
            onInput={({ currentTarget: { value } }) => setOptions((before) => before.map((one, at) => (at === index ? value : one)))} /></label>
      ))}
      {options.length < MAX_OPTIONS ? <button type="button" class="link" data-testid="poll-more" onClick={() => setOptions([...options, ''])}>{t('polls.more')}</button> : null}
      <div class="row">
        <button type="submit" class="primary compact" data-testid="poll-ask" disabled={!ready}>{t('polls.ask')}</button>
        <button type="button" class="secondary compact" onClick={onDone}>{t('polls.cancel')}</button>
      </div>
    </form>
  );
}

function PollCard({ poll }: { poll: Poll }) {
  const me = conference?.endpointId ?? '';
  const voted = poll.options.some((option) => option.voters.has(me));
  const [chosen, setChosen] = useState<readonly number[]>([]);
  const [changing, setChanging] = useState(false);
  const total = new Set(poll.options.flatMap((option) => [...option.voters])).size;
  const vote = (event: Event) => {
    event.preventDefault();
    conference?.meeting.vote(poll.id, poll.options.map((_, index) => chosen.includes(index)));
    setChanging(false);
  };
  const asker = participants.value.find((p) => p.id === poll.from);
  return (
    <li class="poll" data-testid="poll" data-id={poll.id}>
      <p class="note">{asker ? t('polls.by', { name: nameOf(asker) }) : poll.from === me ? t('polls.byYou') : null}</p>
      <h3 dir="auto">{poll.question}</h3>
      {voted && !changing ? (
        <>
          <ul class="bars">
            {poll.options.map((option, index) => (
              <li key={index} data-testid="poll-result" data-votes={option.voters.size}>
                <span dir="auto">{option.text}{option.voters.has(me) ? <Icon name="check" /> : null}</span>
                <span>{t('polls.votes', { count: option.voters.size })}</span>
                <meter min={0} max={Math.max(1, total)} value={option.voters.size} aria-hidden="true" />
              </li>
            ))}
          </ul>
          <button type="button" class="link" onClick={() => setChanging(true)}>{t('polls.change')}</button>
        </>
      ) : (
        <form class="stack" onSubmit={vote}>
          <fieldset>
            <legend class="visually-hidden">{poll.question}</legend>
            {poll.options.map((option, index) => (
              <label key={index} class="check"><input type="checkbox" data-testid="poll-choice" checked={chosen.includes(index)}
                onChange={(event) => setChosen(event.currentTarget.checked ? [...chosen, index] : chosen.filter((one) => one !== index))} /><span dir="auto">{option.text}</span></label>
            ))}
          </fieldset>
          <button type="submit" class="primary compact" data-testid="poll-vote" disabled={chosen.length === 0}>{t('polls.vote')}</button>
        </form>
      )}
    </li>
  );
}

export function PollsPanel() {
  const [asking, setAsking] = useState(false);
  useEffect(() => void (newPolls.value = 0), [polls.value]);
  return (
    <Panel id="polls" title={t('polls.heading')}>
      <div class="panel-body">
        {polls.value.length === 0 && !asking ? <p class="empty">{t('polls.empty')}</p> : null}
        <ul class="poll-list" aria-live="polite">{polls.value.map((poll) => <PollCard key={poll.id} poll={poll} />)}</ul>
        {asking ? <NewPoll onDone={() => setAsking(false)} /> : <button type="button" class="primary compact" data-testid="poll-new" onClick={() => setAsking(true)}>{t('polls.start')}</button>}
      </div>
    </Panel>
  );
}
