/** Durations as people read them. */
import { language } from './i18n';

function digits(value: number, least: number): string {
  return new Intl.NumberFormat(language.value, { minimumIntegerDigits: least, useGrouping: false }).format(value);
}

/** Minutes and seconds, with hours if there are any, in the digits of the language. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = `:${digits(whole % 60, 2)}`;
  return hours ? `${digits(hours, 1)}:${digits(minutes, 2)}${rest}` : digits(minutes, 1) + rest;
}
