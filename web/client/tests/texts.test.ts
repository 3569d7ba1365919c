/** The texts of all languages against each other, and against the code that uses them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { bestLanguage, direction, LANGUAGES, setTexts, t, type Language } from '../src/ui/i18n';

type Forms = Record<string, string>;

const LOCALES = 'src/locales';
const PLACEHOLDER = /\{(\w+)\}/g;

function read(name: string): object {
  return JSON.parse(readFileSync(join(LOCALES, `${name}.json`), 'utf8')) as object;
}

/** Key to text or to plural forms. */
function leaves(section: object, prefix = ''): Map<string, string | Forms> {
  const found = new Map<string, string | Forms>();
  for (const [name, value] of Object.entries(section) as [string, string | Forms][]) {
    if (typeof value === 'string' || 'other' in value) found.set(prefix + name, value);
    else for (const [key, leaf] of leaves(value, `${prefix}${name}.`)) found.set(key, leaf);
  }
  return found;
}

function placeholders(text: string | Forms): string[] {
  const all = typeof text === 'string' ? [text] : Object.values(text);
  return [...new Set(all.flatMap((one) => [...one.matchAll(PLACEHOLDER)].map((match) => match[1]!)))].sort();
}

const english = leaves(read('en'));
const languages = readdirSync(LOCALES).map((name) => name.replace('.json', '')).sort();

test('every file is a language that can be chosen, and the other way round', () => {
  assert.deepEqual(languages, Object.keys(LANGUAGES).sort());
});

for (const name of languages) {
  test(`${name}: no key is missing or too much, and placeholders are those of English`, () => {
    const own = leaves(read(name));
    assert.deepEqual([...own.keys()].filter((key) => !english.has(key)), [], 'surplus');
    assert.deepEqual([...english.keys()].filter((key) => !own.has(key)), [], 'missing');
    for (const [key, text] of own) {
      assert.deepEqual(placeholders(text), placeholders(english.get(key)!), key);
      assert.equal(typeof text, typeof english.get(key), key);
      for (const one of typeof text === 'string' ? [text] : Object.values(text)) {
        assert.ok(one.trim() === one && one !== '', key);
      }
    }
  });

  test(`${name}: every number up to 1000 has its plural form`, () => {
    const rules = new Intl.PluralRules(name);
    const needed = new Set(Array.from({ length: 1001 }, (_, count) => rules.select(count)));
    const known = new Set<string>(rules.resolvedOptions().pluralCategories);
    for (const [key, forms] of leaves(read(name))) {
      if (typeof forms === 'string') continue;
      for (const form of needed) assert.ok(form in forms, `${key} lacks '${form}'`);
      for (const form of Object.keys(forms)) assert.ok(known.has(form), `${key} has '${form}'`);
    }
  });
}

/** All source files under src, parsed. */
function sources(): ts.SourceFile[] {
  return (readdirSync('src', { recursive: true }) as string[])
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => ts.createSourceFile(name, readFileSync(join('src', name), 'utf8'), ts.ScriptTarget.Latest, true));
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

function place(node: ts.Node): string {
  const file = node.getSourceFile();
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

const files = sources();

test('each call of t gives the values that its text has places for', () => {
  for (const file of files) {
    walk(file, (node) => {
      if (!ts.isCallExpression(node) || node.expression.getText() !== 't' || !ts.isStringLiteral(node.arguments[0]!)) return;
      const given = node.arguments[1];
      const names = given && ts.isObjectLiteralExpression(given) ? given.properties.map((one) => one.name!.getText()) : [];
      const text = english.get(node.arguments[0].text);
      assert.ok(text !== undefined, place(node));
      assert.deepEqual(names.sort(), [...new Set([...placeholders(text), ...(typeof text === 'string' ? [] : ['count'])])].sort(), place(node));
    });
  }
});

test('every text is used', () => {
  const used = new Set<string>();
  const prefixes: string[] = [];
  for (const file of files) {
    walk(file, (node) => {
      if (ts.isStringLiteral(node)) used.add(node.text);
      else if (ts.isTemplateExpression(node) && node.head.text.endsWith('.')) prefixes.push(node.head.text);
    });
  }
  const unused = [...english.keys()].filter((key) => !used.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)));
  assert.deepEqual(unused, []);
});

const SPOKEN = new Set(['aria-label', 'title', 'placeholder', 'alt', 'label', 'aria-description', 'aria-valuetext']);
const LETTERS = /\p{L}{2,}/u;

test('no component holds a text of its own', () => {
  const found: string[] = [];
  for (const file of files) {
    walk(file, (node) => {
      if (ts.isJsxText(node) && LETTERS.test(node.text)) found.push(`${place(node)} ${node.text.trim()}`);
      if (ts.isJsxAttribute(node) && SPOKEN.has(node.name.getText()) && node.initializer && ts.isStringLiteral(node.initializer)) {
        found.push(`${place(node)} ${node.initializer.text}`);
      }
      if (ts.isCallExpression(node) && ['toast', 'announce'].includes(node.expression.getText()) && node.arguments[0] && ts.isStringLiteral(node.arguments[0])) {
        found.push(`${place(node)} ${node.arguments[0].text}`);
      }
    });
  }
  assert.deepEqual(found, []);
});

test('the most wanted language that there is', () => {
  assert.equal(bestLanguage(['xx', 'en-GB']), 'en');
  assert.equal(bestLanguage([]), 'en');
  for (const name of languages) assert.equal(bestLanguage([`${name.toUpperCase()}-ZZ`]), name);
  assert.equal(direction('ar'), 'rtl');
  assert.equal(direction('de'), 'ltr');
});

test('places are filled, plurals chosen, and foreign directions kept apart', () => {
  setTexts('en', read('en'));
  assert.equal(t('call.joined', { name: 'Ann' }), 'Ann joined');
  assert.equal(t('call.joined', { name: 'مريم' }), '\u2068مريم\u2069 joined');
  assert.equal(t('call.joined', { name: '{name}$&' }), '{name}$& joined', 'a name is no pattern');
  assert.equal(t('toolbar.unread', { count: 1 }), '1 unread message');
  assert.equal(t('toolbar.unread', { count: 1200 }), '1,200 unread messages');
  for (const name of languages) {
    setTexts(name as Language, read(name));
    assert.notEqual(t('call.joined', { name: 'Ann' }), 'call.joined');
  }
});
