/**
 * Every text a person reads or hears comes from `locales/<language>.json` through `t`.  A file is
 * loaded when its language is chosen.  A text with `{count}` may have the forms of Intl.PluralRules.
 */
import { signal } from '@preact/signals';
import type english from '../locales/en.json';

export const PRODUCT = 'xmppconf';

type Texts = typeof english;
interface Plural {
  readonly other: string;
}
type Leaves<T> = { [K in keyof T & string]: T[K] extends string | Plural ? K : `${K}.${Leaves<T[K]>}` }[keyof T & string];
export type TextKey = Leaves<Texts>;
export type Values = Readonly<Record<string, string | number>>;

/** The languages there are, by their tag (BCP 47), with the names their speakers use. */
export const LANGUAGES = {
  ar: 'العربية', de: 'Deutsch', en: 'English', es: 'Español', fr: 'Français', pt: 'Português', ru: 'Русский', zh: '中文',
} as const;
export type Language = keyof typeof LANGUAGES;

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar', 'he', 'fa', 'ur']);

const FILES: Record<Language, () => Promise<{ default: unknown }>> = {
  ar: () => import('../locales/ar.json'),
  de: () => import('../locales/de.json'),
  en: () => import('../locales/en.json'),
  es: () => import('../locales/es.json'),
  fr: () => import('../locales/fr.json'),
  pt: () => import('../locales/pt.json'),
  ru: () => import('../locales/ru.json'),
  zh: () => import('../locales/zh.json'),
};

export const language = signal<Language>('en');
const texts = signal<object>({});

/** The first of the tags, most wanted first, whose language there is. */
export function bestLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0]!;
    if (base in LANGUAGES) return base as Language;
  }
  return 'en';
}

export function direction(of: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(of) ? 'rtl' : 'ltr';
}

/** Makes `loaded`, the contents of a language's file, what `t` answers with. */
export function setTexts(chosen: Language, loaded: object): void {
  texts.value = loaded;
  language.value = chosen;
}

/** Loads a language ('' is the browser's) and shows the page in it. */
export async function chooseLanguage(chosen: string): Promise<void> {
  const next = bestLanguage(chosen ? [chosen] : navigator.languages);
  setTexts(next, (await FILES[next]()).default as object);
  document.documentElement.lang = next;
  document.documentElement.dir = direction(next);
}

/** The text of `key` with `{placeholders}` filled; `values.count` chooses the plural form. */
export function t(key: TextKey, values: Values = {}): string {
  let found: unknown = texts.value;
  for (const part of key.split('.')) found = (found as Record<string, unknown> | undefined)?.[part];
  if (typeof found === 'object' && found !== null) {
    const forms = found as Record<string, string> & Plural;
    found = forms[new Intl.PluralRules(language.value).select(Number(values.count ?? 0))] ?? forms.other;
  }
  if (typeof found !== 'string') return key;
  return found.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? new Intl.NumberFormat(language.value).format(value) : isolate(value);
  });
}

const TURNS = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A name in the other direction of writing must not turn the words around it (UAX 9, 2.4.2). */
function isolate(value: string): string {
  return direction(language.value) === 'rtl' || TURNS.test(value) ? `\u2068${value}\u2069` : value;
}
