/** The rooms beside the main one: who is where; moderators make them and send people. */
import { useState } from 'preact/hooks';
import type { BreakoutRoom } from '../conference';
import { goTo } from './go_to';
import { t } from './i18n';
import { Icon } from './icons';
import { breakouts, isModerator } from './meeting';
import { Panel } from './panel';
import { room } from './route';
import { conference, nameOf } from './state';

const MAX_NAME = 100;

function shuffled<T>(list: readonly T[]): T[] {
  return list.map((one) => [Math.random(), one] as const).sort(([a], [b]) => a - b).map(([, one]) => one);
}

/** So many requests the focus takes at once; after them one in so many milliseconds. */
const AT_ONCE = 20;
const PACE_MS = 600;

/** Sends each to a room, no faster than may be asked. */
function sendAll(moves: readonly (readonly [person: string, room: string])[]): void {
  const meeting = conference?.meeting;
  moves.forEach(([person, there], index) => setTimeout(() => meeting?.sendTo(person, there), PACE_MS * Math.max(0, index - AT_ONCE)));
}

/** Spreads all who are in the main room evenly, by chance. */
function spread(rooms: readonly BreakoutRoom[]): void {
  const others = rooms.filter((one) => !one.main);
  const people = shuffled(rooms.find((one) => one.main)?.people ?? []);
  sendAll(people.map((person, index) => [person.jid, others[index % others.length]!.jid]));
}

function callBack(rooms: readonly BreakoutRoom[]): void {
  const main = rooms.find((one) => one.main);
  if (main) sendAll(rooms.filter((one) => !one.main).flatMap((one) => one.people).map((person) => [person.jid, main.jid]));
}

function RoomCard({ there }: { there: BreakoutRoom }) {
  const here = there.id === room.value;
  const name = there.main ? t('breakout.main') : there.name;
  return (
    <li class="poll" data-testid="breakout" data-id={there.id} data-main={there.main}>
      <h3 dir="auto">{name}</h3>
      <p class="note">{there.people.length ? there.people.map((one) => nameOf(one)).join(', ') : t('breakout.nobody')}</p>
      <div class="row">
        {here ? <span class="note">{t('breakout.here')}</span>
          : <button type="button" class="primary compact" data-testid="breakout-join" aria-label={`${t('breakout.join')}: ${name}`} onClick={() => goTo(there)}>{t('breakout.join')}</button>}
        {isModerator.value && !there.main
          ? <button type="button" class="secondary compact" data-testid="breakout-remove" aria-label={`${t('breakout.remove')}: ${name}`} onClick={() => conference?.meeting.removeBreakout(there.jid)}>{t('breakout.remove')}</button> : null}
      </div>
    </li>
  );
}

export function BreakoutPanel() {
  const rooms = breakouts.value;
  const others = rooms.filter((one) => !one.main).length;
  const [name, setName] = useState('');
  const add = (event: Event) => {
    event.preventDefault();
    conference?.meeting.addBreakout(name.trim() || t('breakout.number', { number: others + 1 }));
    setName('');
  };
  return (
    <Panel id="breakout" title={t('breakout.heading')}>
      <div class="panel-body">
        {others === 0 ? <p class="empty">{isModerator.value ? t('breakout.empty') : t('breakout.none')}</p> : null}
        {others > 0 ? <ul class="poll-list">{rooms.map((one) => <RoomCard key={one.id} there={one} />)}</ul> : null}
        {isModerator.value ? (
          <>
            <form class="row" onSubmit={add}>
              <label class="field"><span>{t('breakout.new')}</span>
                <input data-testid="breakout-name" value={name} maxLength={MAX_NAME} autocomplete="off" placeholder={t('breakout.number', { number: others + 1 })} onInput={(event) => setName(event.currentTarget.value)} /></label>
              <button type="submit" class="secondary compact" data-testid="breakout-add">{t('breakout.add')}</button>
            </form>
            {others > 0 ? (
              <div class="row">
                <button type="button" class="secondary compact" data-testid="breakout-deal" onClick={() => spread(rooms)}><Icon name="people" />{t('breakout.deal')}</button>
                <button type="button" class="secondary compact" data-testid="breakout-call" onClick={() => callBack(rooms)}><Icon name="back" />{t('breakout.callBack')}</button>
              </div>
            ) : null}
          </>
        ) : null}
      </div>
    </Panel>
  );
}
