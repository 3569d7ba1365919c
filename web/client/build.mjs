// Builds the client into ../xmppconf_web/static (or --out FOLDER), or with --tests the tests into build/tests.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const AGPL = 'magnet:?xt=urn:btih:0b31508aeb0634b347b8270c7bee4d411b5d4109&dn=agpl-3.0.txt AGPL-3.0-or-later';
const EXPAT = 'magnet:?xt=urn:btih:d3d9a9a6595521f9666a5e94cc830dab83b65699&dn=expat.txt Expat';
// Both read by LibreJS: the comment in each script and the table of licenses.html.
const banner = `// @license ${AGPL}\n/* Contains preact and @preact/signals (${EXPAT}) and strophe.js (${EXPAT}). */`;
const footer = '// @license-end';

const common = {
  absWorkingDir: root, bundle: true, format: 'esm', target: ['chrome110', 'firefox110', 'safari16.4'],
  jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning',
};

async function bundleTests() {
  const tests = (await readdir(join(root, 'tests'))).filter((name) => name.endsWith('.test.ts'));
  await rm(join(root, 'build/tests'), { recursive: true, force: true });
  await build({
    ...common, platform: 'node', target: 'node18', entryPoints: tests.map((name) => `tests/${name}`),
    outdir: 'build/tests', outExtension: { '.js': '.mjs' },
    // Node 18 has the browser's crypto under another name.
    banner: { js: "import { webcrypto } from 'node:crypto'; globalThis.crypto ??= webcrypto;" },
  });
}

/** The table rows of what is bundled, for licenses.html. */
async function versions() {
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return Object.entries(dependencies).map(([name, version]) =>
    `<li>${name} ${version}, <a href="http://www.jclark.com/xml/copying.txt">Expat</a></li>`).join('\n      ');
}

function hashed(name, contents) {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12);
  return name.replace(/(\.[a-z]+)$/, `-${hash}$1`);
}

async function bundleClient(entry, outdir, page, title) {
  const result = await build({
    ...common, entryPoints: { main: entry }, outdir: 'assets', minify: true, write: false, sourcemap: 'external',
    banner: { js: banner }, footer: { js: footer }, legalComments: 'none', define: { 'process.env.NODE_ENV': '"production"' },
  });
  const out = Object.fromEntries(result.outputFiles.map((f) => [f.path.split('/').pop(), f.text]));
  const icon = await readFile(join(root, 'src/ui/icon.svg'), 'utf8');
  const script = hashed('main.js', out['main.js']);
  const style = hashed('main.css', out['main.css']);
  const iconName = hashed('icon.svg', icon);
  const fresh = `${outdir}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(join(fresh, 'assets'), { recursive: true });
  const html = (await readFile(join(root, 'src/index.html'), 'utf8'))
    .replaceAll('%SCRIPT%', `/assets/${script}`).replaceAll('%STYLE%', `/assets/${style}`)
    .replaceAll('%ICON%', `/assets/${iconName}`).replaceAll('%TITLE%', title);
  const licences = (await readFile(join(root, 'src/licenses.html'), 'utf8'))
    .replaceAll('%SCRIPT%', `/assets/${script}`).replaceAll('%STYLE%', `/assets/${style}`)
    .replaceAll('%SOURCE%', `/assets/${script}.map`).replaceAll('%VERSIONS%', await versions());
  await Promise.all([
    writeFile(join(fresh, 'assets', script), out['main.js']),
    writeFile(join(fresh, 'assets', `${script}.map`), out['main.js.map']),
    writeFile(join(fresh, 'assets', style), out['main.css']),
    writeFile(join(fresh, 'assets', iconName), icon),
    writeFile(join(fresh, page), html),
    writeFile(join(fresh, 'licenses.html'), licences),
  ]);
  // Whoever is served meanwhile gets the old client or the new one, never half of it.
  await rm(outdir, { recursive: true, force: true });
  await rename(fresh, outdir);
  console.log(`${page}: ${script} ${Math.round(out['main.js'].length / 1024)} KiB, ${style} ${Math.round(out['main.css'].length / 1024)} KiB`);
}

if (process.argv.includes('--tests')) await bundleTests();
else {
  const at = process.argv.indexOf('--out') + 1;
  const out = (usual) => (at ? process.argv[at] : join(root, usual));
  if (process.argv.includes('--harness')) await bundleClient('tests/harness.tsx', out('build/harness'), 'index.html', 'harness');
  else await bundleClient('src/ui/main.tsx', out('../xmppconf_web/static'), 'index.html', 'xmppconf');
}
