/** Menus for the language and for light or dark. */
import { LANGUAGES, t } from './i18n';
import { change, settings } from './settings';

export function LanguageSelect({ id }: { id: string }) {
  return (
    <label class="field">
      <span>{t('settings.language')}</span>
      <select data-testid={id} value={settings.value.language} onChange={(event) => change({ language: event.currentTarget.value })}>
        <option value="">{t('settings.automatic')}</option>
        {Object.entries(LANGUAGES).map(([tag, name]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
      </select>
    </label>
  );
}

export function ThemeSelect() {
  return (
    <label class="field">
      <span>{t('settings.theme')}</span>
      <select data-testid="theme" value={settings.value.theme} onChange={(event) => change({ theme: event.currentTarget.value })}>
        <option value="">{t('settings.themeAutomatic')}</option>
        <option value="light">{t('settings.light')}</option>
        <option value="dark">{t('settings.dark')}</option>
      </select>
    </label>
  );
}
