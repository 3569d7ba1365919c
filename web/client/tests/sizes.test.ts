/** The built client: what a browser has to fetch, gzip, and what LibreJS reads. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

/** What the promise counts in, bytes. */
const KB = 1000;

interface Output {
  readonly imports: readonly { readonly path: string; readonly kind: string }[];
  readonly entryPoint?: string;
  readonly cssBundle?: string;
}

test('the first screen is at most 60 kB and a call at most 150 kB, and each script names its licence', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xmppconf-sizes-'));
  try {
    execFileSync('node', ['build.mjs', '--out', join(folder, 'out'), '--metafile', join(folder, 'meta.json')], { stdio: 'ignore' });
    const outputs = (JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as { outputs: Record<string, Output> }).outputs;
    const size = (path: string) => gzipSync(readFileSync(join(folder, 'out', path))).length;
    const named = (entry: string) => Object.keys(outputs).find((path) => outputs[path]!.entryPoint === entry)!;
    /** Files that these cannot run without. */
    const needed = (...entries: string[]) => {
      const found = new Set<string>();
      const visit = (path: string) => {
        if (found.has(path)) return;
        found.add(path);
        outputs[path]!.imports.filter((one) => one.kind === 'import-statement').forEach((one) => visit(one.path));
      };
      entries.forEach(visit);
      return found;
    };
    const total = (paths: Iterable<string>) => [...paths].reduce((sum, path) => sum + size(path), 0);
    const main = named('src/ui/main.tsx');
    // The largest language: Cyrillic takes two bytes a letter.
    const texts = Object.keys(outputs).filter((path) => outputs[path]!.entryPoint?.startsWith('src/locales/')).map(size);
    const shell = size('index.html') + size(outputs[main]!.cssBundle!) + Math.max(...texts);
    const start = shell + total(needed(main));
    const prejoin = shell + total(needed(main, named('src/ui/room_pages.tsx')));
    const call = shell + total(needed(main, named('src/ui/room_pages.tsx'), named('src/conference/index.ts'), named('src/ui/call.tsx')));
    console.log(`start page ${(start / KB).toFixed(1)} kB, page before the call ${(prejoin / KB).toFixed(1)} kB, call ${(call / KB).toFixed(1)} kB gzip`);
    assert.ok(start <= 60 * KB && prejoin <= 60 * KB, `${start} and ${prejoin} bytes`);
    assert.ok(call <= 150 * KB, `${call} bytes`);
    const licences = readFileSync(join(folder, 'out/licenses.html'), 'utf8');
    const scripts = (readdirSync(join(folder, 'out'), { recursive: true }) as string[]).filter((name) => name.endsWith('.js'));
    for (const name of scripts) {
      assert.match(readFileSync(join(folder, 'out', name), 'utf8'), /^\/\/ @license magnet:[^\n]+\n[^]*\n\/\/ @license-end\n/, name);
      assert.ok(licences.includes(`<a href="/${name}">`), `${name} has no row`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
