/** Somebody is reported to the moderators: for what, and nothing else. */
import { useState } from 'preact/hooks';
import { MISCONDUCT, type Misconduct } from '../conference';
import { toast } from './announce';
import { Modal } from './dialog';
import { t } from './i18n';
import { attempt } from './meeting';
import { REASONS, reporting } from './reporting';
import { conference, nameOf, participants } from './state';

export function ReportDialog() {
  const id = reporting.value!;
  const [reason, setReason] = useState<Misconduct>('spam');
  const person = participants.value.find((p) => p.id === id);
  if (!person) return null;
  const close = () => (reporting.value = undefined);
  const send = (event: Event) => {
    event.preventDefault();
    attempt(conference?.meeting.report(id, reason).then(() => toast(t('report.sent'))));
    close();
  };
  return (
    <Modal title={t('report.title', { name: nameOf(person) })} id="report" onClose={close}>
      <form onSubmit={send}>
        <fieldset class="choices">
          <legend>{t('report.why')}</legend>
          {MISCONDUCT.map((one) => (
            <label key={one} class="check">
              <input type="radio" name="misconduct" data-testid={`report-${one}`} checked={reason === one} onChange={() => setReason(one)} />
              <span>{t(REASONS[one])}</span>
            </label>
          ))}
        </fieldset>
        <p class="note">{t('report.text')}</p>
        <div class="row end"><button type="submit" class="primary compact" data-testid="send-report">{t('report.send')}</button></div>
      </form>
    </Modal>
  );
}
