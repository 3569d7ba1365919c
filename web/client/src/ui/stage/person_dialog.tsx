/** One person's volume and the quality of the connection. */
import { Modal } from '../dialog';
import { t } from '../i18n';
import { nameOf, participants, statistics } from '../state';
import { inspect, inspected } from './inspected';
import { setVolume, volumes } from './voice';

const percent = (part: number) => `${Math.round(100 * part)} %`;

export function PersonDialog() {
  const id = inspected.value!;
  const person = participants.value.find((p) => p.id === id);
  if (!person) return null;
  const all = statistics.value;
  const stats = all?.remote.get(id);
  const route = all?.path === 'direct' ? t(all.relayed ? 'quality.relayed' : 'quality.direct') : t('quality.bridge');
  const rows: (readonly [string, string])[] = [
    [t('quality.route'), all?.protocol ? `${route} (${all.protocol.toUpperCase()})` : route],
    [t('quality.roundTrip'), all?.roundTrip ? `${Math.round(1000 * all.roundTrip)} ms` : '–'],
    [t('quality.loss'), stats ? percent(stats.lossFraction) : '–'],
    [t('quality.jitter'), stats ? `${Math.round(1000 * stats.jitter)} ms` : '–'],
    [t('quality.picture'), stats?.height ? `${stats.width} × ${stats.height}, ${Math.round(stats.frameRate)} fps${stats.codec ? `, ${stats.codec}` : ''}` : '–'],
    [t('quality.sending'), all?.sendHeight ? `${all.sendHeight}p, ${Math.round(all.sendBitrate / 1000)} kbit/s` : '–'],
  ];
  return (
    <Modal title={nameOf(person)} id="person-dialog" onClose={() => inspect(undefined)}>
      <label class="field">
        <span>{t('stage.volume')}</span>
        <input type="range" min="0" max="100" step="5" data-testid="volume" value={Math.round(100 * (volumes.value.get(id) ?? 1))}
          onInput={(event) => setVolume(id, Number(event.currentTarget.value) / 100)} />
      </label>
      <h3>{t('quality.heading')}</h3>
      <dl class="quality" data-testid="quality">{rows.map(([term, value]) => <div key={term}><dt>{term}</dt><dd>{value}</dd></div>)}</dl>
    </Modal>
  );
}
