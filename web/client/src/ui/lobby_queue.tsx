/** Who waits outside, for moderators to let in or not. */
import { t } from './i18n';
import { lobby, attempt } from './meeting';
import { conference, nameOf } from './state';

export function LobbyQueue() {
  const visitors = lobby.value;
  if (visitors.length === 0) return null;
  const meeting = conference?.meeting;
  return (
    <section class="lobby-queue" aria-labelledby="lobby-heading" data-testid="lobby-queue">
      <header>
        <h3 id="lobby-heading">{t('lobby.heading', { count: visitors.length })}</h3>
        {visitors.length > 1 ? (
          <button type="button" class="link" data-testid="admit-all" onClick={() => visitors.forEach((one) => meeting?.admit(one.id))}>{t('lobby.admitAll')}</button>
        ) : null}
      </header>
      <ul>
        {visitors.map((visitor) => (
          <li key={visitor.id} data-testid="visitor" data-id={visitor.id}>
            <span class="name"><bdi>{nameOf(visitor)}</bdi></span>
            <button type="button" class="secondary compact" data-testid="deny" aria-label={t('lobby.denyName', { name: nameOf(visitor) })} onClick={() => attempt(meeting?.deny(visitor.id))}>{t('lobby.deny')}</button>
            <button type="button" class="primary compact" data-testid="admit" aria-label={t('lobby.admitName', { name: nameOf(visitor) })} onClick={() => meeting?.admit(visitor.id)}>{t('lobby.admit')}</button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Beside the stage, where it covers nobody: somebody knocks while the list is closed. */
export function Knock({ onOpen }: { onOpen: () => void }) {
  const [first, ...more] = lobby.value;
  if (!first) return null;
  return (
    <div class="banner knock" role="status" data-testid="knock">
      <span>{more.length ? t('lobby.knockMany', { name: nameOf(first), count: more.length }) : t('lobby.knocks', { name: nameOf(first) })}</span>
      {more.length ? null : <button type="button" class="primary compact" onClick={() => conference?.meeting.admit(first.id)}>{t('lobby.admit')}</button>}
      <button type="button" class="secondary compact" data-testid="open-lobby" onClick={onOpen}>{t('lobby.look')}</button>
    </div>
  );
}
