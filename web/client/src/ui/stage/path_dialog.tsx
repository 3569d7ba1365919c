/** How the call is connected, and the signs by which two people know that nobody is between them. */
import { useEffect, useState } from 'preact/hooks';
import { Modal } from '../dialog';
import { t } from '../i18n';
import { change, settings } from '../settings';
import { conference } from '../state';
import { comparing } from './inspected';
import { directRoute, explanation, routeText } from './route_text';

export function PathDialog() {
  const [signs, setSigns] = useState<readonly string[] | undefined>(undefined);
  const route = directRoute.value;
  const direct = route !== 'none';
  useEffect(() => {
    let current = true;
    setSigns(undefined);
    if (direct) void conference?.compareSigns().then((found) => current && setSigns(found));
    return () => {
      current = false;
    };
  }, [direct]);
  const allow = (allowed: boolean) => {
    change({ direct: allowed });
    conference?.allowDirect(allowed);
  };
  return (
    <Modal title={routeText(route)} id="path-dialog" onClose={() => (comparing.value = false)}>
      <p>{explanation(route)}</p>
      {direct && signs ? (
        <>
          <p>{t('path.compare')}</p>
          <p class="signs" data-testid="signs">{signs.map((sign, index) => <span key={index}>{sign}</span>)}</p>
        </>
      ) : null}
      <label class="check"><input type="checkbox" data-testid="allow-direct" checked={settings.value.direct} onChange={(event) => allow(event.currentTarget.checked)} />{t('path.allow')}</label>
    </Modal>
  );
}
