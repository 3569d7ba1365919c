/** Before the call: does one hear something, and does the network let media through? */
import { useState } from 'preact/hooks';
import type { ConnectionResult } from '../conference/connection_test';
import { t } from './i18n';
import { Icon } from './icons';
import { playTest, TEST_MS } from './sound';

function SpeakerTest() {
  const [playing, setPlaying] = useState(false);
  const play = () => {
    playTest();
    setPlaying(true);
    setTimeout(() => setPlaying(false), TEST_MS);
  };
  return (
    <button type="button" class="secondary compact" data-testid="test-speaker" disabled={playing} onClick={play}>
      <Icon name="speaker" />{playing ? t('prejoin.test.speakerPlaying') : t('prejoin.test.speaker')}
    </button>
  );
}

function ConnectionTest() {
  const [result, setResult] = useState<ConnectionResult | 'running' | undefined>(undefined);
  const run = async () => {
    setResult('running');
    const [{ testConnection }, { readConfig }] = await Promise.all([import('../conference/connection_test'), import('../conference')]);
    setResult(await testConnection(readConfig(window.config, location.origin)));
  };
  const running = result === 'running';
  return (
    <>
      <button type="button" class="secondary compact" data-testid="test-connection" disabled={running} onClick={() => void run()}>
        <Icon name="wifi" />{running ? t('prejoin.test.running') : t('prejoin.test.connection')}
      </button>
      <p class="test-result" role="status" data-testid="connection-result" data-kind={running ? undefined : result?.kind}>
        {!result || running ? null : result.kind === 'good' ? <><Icon name="check" />{t('prejoin.test.good', { milliseconds: result.milliseconds })}</> : t(`prejoin.test.${result.kind}`)}
      </p>
    </>
  );
}

export function TestsBefore() {
  return <div class="row tests-before"><SpeakerTest /><ConnectionTest /></div>;
}
