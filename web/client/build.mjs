// Builds the client into ../xmppconf_web/static (or --out FOLDER), or with --tests the tests into build/tests.
// --metafile FILE tells what each output is made of.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
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
    external: ['typescript'], outdir: 'build/tests', outExtension: { '.js': '.mjs' },
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

/** The row of one script in the table that LibreJS reads. */
function licenceRow(path) {
  return `<tr>
        <td><a href="${path}">${basename(path)}</a></td>
        <td><a href="http://www.gnu.org/licenses/agpl-3.0.html">AGPL-3.0-or-later</a></td>
        <td><a href="${path}.map">${basename(path)}.map</a> (holds every source file)</td>
      </tr>`;
}

/** The service worker, which knows the paths of the files that it keeps. */
async function bundleWorker(paths) {
  const version = createHash('sha256').update(paths.join()).digest('hex').slice(0, 12);
  const { outputFiles } = await build({
    ...common, entryPoints: ['src/worker/service_worker.ts'], outdir: '.', minify: true, write: false, sourcemap: 'external',
    banner: { js: banner }, footer: { js: footer }, define: { FILES: JSON.stringify(paths), VERSION: JSON.stringify(version) },
  });
  return outputFiles.map((f) => [basename(f.path), f.text]);
}

async function bundleClient(entry, outdir, page, title) {
  const result = await build({
    ...common, entryPoints: { main: entry }, outdir: 'assets', minify: true, write: false, sourcemap: 'external', splitting: true,
    entryNames: '[name]-[hash]', chunkNames: '[name]-[hash]', metafile: true,
    banner: { js: banner }, footer: { js: footer }, legalComments: 'none', define: { 'process.env.NODE_ENV': '"production"' },
  });
  const meta = process.argv.indexOf('--metafile') + 1;
  if (meta) await writeFile(process.argv[meta], JSON.stringify(result.metafile));
  const files = new Map(result.outputFiles.map((f) => [basename(f.path), f.text]));
  const icon = await readFile(join(root, 'src/ui/icon.svg'), 'utf8');
  const iconName = hashed('icon.svg', icon);
  // Systems cut such icons to their own shape: it fills its square.
  const maskable = icon.replace(/ rx="9"/, '');
  const maskableName = hashed('icon-maskable.svg', maskable);
  files.set(iconName, icon).set(maskableName, maskable);
  const entryScript = Object.entries(result.metafile.outputs).find(([, output]) => output.entryPoint === entry);
  const [script, style] = [basename(entryScript[0]), basename(entryScript[1].cssBundle)];
  const scripts = [...files.keys()].filter((name) => name.endsWith('.js')).sort();
  // Without this the browser learns of each only from the one before.
  const preloads = entryScript[1].imports.filter((one) => one.kind === 'import-statement')
    .map((one) => `<link rel="modulepreload" href="/assets/${basename(one.path)}">`).join('\n    ');
  const fill = async (source) => (await readFile(join(root, source), 'utf8'))
    .replaceAll('%SCRIPT%', `/assets/${script}`).replaceAll('%STYLE%', `/assets/${style}`).replaceAll('%ICON%', `/assets/${iconName}`)
    .replaceAll('%MASKABLE%', `/assets/${maskableName}`).replaceAll('%TITLE%', title).replaceAll('%PRELOADS%', preloads)
    .replaceAll('%SCRIPTS%', scripts.map((name) => licenceRow(`/assets/${name}`)).join('\n      ')).replaceAll('%VERSIONS%', await versions());
  const pages = new Map([
    [page, await fill('src/index.html')],
    ['licenses.html', await fill('src/licenses.html')],
    ['manifest.webmanifest', await fill('src/manifest.webmanifest')],
  ]);
  for (const [name, text] of await bundleWorker([...files.keys()].filter((one) => !one.endsWith('.map')).map((one) => `/assets/${one}`))) pages.set(name, text);
  const fresh = `${outdir}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(join(fresh, 'assets'), { recursive: true });
  await Promise.all([
    ...[...files].map(([name, text]) => writeFile(join(fresh, 'assets', name), text)),
    ...[...pages].map(([name, text]) => writeFile(join(fresh, name), text)),
  ]);
  // Whoever is served meanwhile gets the old client or the new one, never half of it.
  await rm(outdir, { recursive: true, force: true });
  await rename(fresh, outdir);
  for (const name of scripts) console.log(`${page}: ${name} ${(gzipSync(files.get(name)).length / 1024).toFixed(1)} KiB gzip`);
}

if (process.argv.includes('--tests')) await bundleTests();
else {
  const at = process.argv.indexOf('--out') + 1;
  const out = (usual) => (at ? process.argv[at] : join(root, usual));
  if (process.argv.includes('--harness')) await bundleClient('tests/harness.tsx', out('build/harness'), 'index.html', 'harness');
  else await bundleClient('src/ui/main.tsx', out('../xmppconf_web/static'), 'index.html', 'xmppconf');
}
