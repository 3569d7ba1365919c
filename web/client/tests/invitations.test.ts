import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { calendarFile, nextSlot } from '../src/ui/calendar';
import { parts } from '../src/ui/chat_text';
import { correction, qrCode, qrPath } from '../src/ui/qr';

const digest = (grid: boolean[][]) => createHash('sha256').update(grid.map((row) => row.map(Number).join('')).join('\n')).digest('hex');

test('codes that another decoder read', () => {
  // Both, and 51 more of all ten versions, were read back with the decoder jsQR.
  assert.equal(digest(qrCode('https://meet.example/tea-at-four')), '0faf9eef4527e572d7ac6ddbbd8ef497f55d1d5f90a4cd07060162b3d8561a2d');
  assert.equal(digest(qrCode('A'.repeat(150))), '6083ea84067d0179067efda2697e224d5afcc52a1a9bae701a59cdb5cfac7dd8');
});

test('the correction of the standard\'s example', () => {
  // ISO/IEC 18004, annex I: version 1-M, the digits 01234567.
  const data = [0x10, 0x20, 0x0c, 0x56, 0x61, 0x80, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11];
  assert.deepEqual(correction(data, 10), [0xa5, 0x24, 0xd4, 0xc1, 0xed, 0x36, 0xc7, 0x87, 0x2c, 0x55]);
});

test('a code grows with its text and has an end', () => {
  assert.equal(qrCode('x').length, 21);
  assert.equal(qrCode('x'.repeat(213)).length, 57);
  assert.throws(() => qrCode('x'.repeat(214)), RangeError);
  assert.equal(qrPath('x').size, 29);
});

test('a calendar file has lines of at most 75 octets that other programs can read', () => {
  const file = calendarFile({
    uid: 'u@meet.example', title: 'Tea, cake; \\ and more', text: 'Ж'.repeat(100), link: 'https://meet.example/tea', length: 45,
    start: new Date('2026-03-01T10:00:00Z'), now: new Date('2026-02-01T00:00:00Z'),
  });
  for (const line of file.split('\r\n')) assert.ok(new TextEncoder().encode(line).length <= 75, line);
  const unfolded = file.replaceAll('\r\n ', '');
  assert.match(unfolded, /^BEGIN:VCALENDAR\r\nVERSION:2\.0\r\n/);
  assert.match(unfolded, /\r\nDTSTART:20260301T100000Z\r\nDTEND:20260301T104500Z\r\n/);
  assert.match(unfolded, /\r\nSUMMARY:Tea\\, cake\\; \\\\ and more\r\n/);
  assert.match(unfolded, /\r\nDESCRIPTION:Ж{100}\\nhttps:\/\/meet\.example\/tea\r\n/);
  assert.ok(file.endsWith('END:VCALENDAR\r\n'));
  assert.equal(nextSlot(new Date('2026-03-01T10:00:00Z')).toISOString(), '2026-03-01T10:30:00.000Z');
});

test('links in a text are those one would expect', () => {
  const links = (text: string) => parts(text).filter((part) => part.href).map((part) => part.text);
  assert.deepEqual(links('see https://a.example/x?y=1#z, and (http://b.example).'), ['https://a.example/x?y=1#z', 'http://b.example']);
  assert.deepEqual(links('javascript:alert(1) data:text/html,x ftp://a.example //b.example'), []);
  assert.deepEqual(links('https://bank.example@evil.example/'), [], 'a host in front of the host');
  assert.deepEqual(links('https://'), []);
  assert.equal(parts('a https://b.example. c').map((part) => part.text).join(''), 'a https://b.example. c', 'nothing is lost');
});
