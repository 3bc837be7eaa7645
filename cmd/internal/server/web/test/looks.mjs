// How it looks: for axe, in the dark, in the light, on a telephone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { says } from './stage.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.PAGE_SHOTS;

const shot = async (v, name) => shots && v.page.screenshot({ path: join(shots, name + '.png') });

async function accessible(v, where) {
  const found = await v.page.evaluate(
    `(() => { const module = undefined; ${axe}; return globalThis.axe.run({ resultTypes: ['violations'] }); })()`,
  );
  const bad = found.violations.map(
    (x) =>
      `${x.impact}: ${x.id} at ${x.nodes
        .slice(0, 3)
        .map((n) => n.target + ' ' + (n.any[0]?.message ?? ''))
        .join(', ')}`,
  );
  assert.deepEqual(bad, [], where);
}

// busy has the server answer others until it is aborted.
function busy(port) {
  const control = new AbortController(),
    { signal } = control;
  const ask = async (seed) => {
    while (!signal.aborted) {
      const body = JSON.stringify({ prompt: 'Once upon a time', max_tokens: 900, ignore_eos: true, seed: seed++ });
      await fetch(`http://127.0.0.1:${port}/v1/completions`, {
        method: 'POST',
        signal,
        body,
        headers: { 'Content-Type': 'application/json' },
      }).then(
        (r) => r.text(),
        () => {},
      );
    }
  };
  for (let i = 0; i < 3; i++) ask(i * 1000);
  return control;
}

const code =
  'A short program:\n\n```go\n// greet says hello.\nfunc greet(name string) error {\n' +
  '\tif name == "" {\n\t\treturn errors.New("no name")\n\t}\n' +
  '\tfmt.Println("Hello", name, 42)\n\treturn nil\n}\n```\n\n' +
  '| animal | legs |\n|---|---|\n| dog | 4 |\n| bird | 2 |\n\n> It is *short*, see [the manual](https://example.org/).';

// look looks at all that there is, in a browser with some colours and width.
const look =
  (colorScheme, width, height) =>
  async ({ come, proxy }) => {
    const at = `${colorScheme}-${width}`,
      v = await come({ colorScheme, viewport: { width, height }, reducedMotion: 'reduce' });
    const narrow = async () =>
      assert.equal(await v.page.evaluate(() => document.documentElement.scrollWidth), width, at + ': it is too wide');
    await accessible(v, at + ': empty');
    proxy.reset();
    await v.settings();
    await v.page.getByLabel('seed', { exact: true }).fill('5');
    await v.button('Close', v.page.locator('.settings')).click();
    await v.ask('Tell me a story about a dog.');
    await v.last('Tokens').click();
    await v.page.locator('.token > .word').nth(6).focus();
    await v.page.waitForSelector('.others');
    await accessible(v, at + ': tokens');
    await shot(v, 'tokens-' + at);
    await narrow();
    await v.page.keyboard.press('Escape');
    proxy.fault = says(code);
    await v.ask('Show me a program.');
    await v.page.waitForSelector('.hljs-keyword');
    await accessible(v, at + ': code');
    await shot(v, 'code-' + at);
    await narrow();
    proxy.fault = (req, res) => {
      if (!req.url.endsWith('/chat/completions')) return false;
      res
        .writeHead(400, { 'Content-Type': 'application/json' })
        .end('{"error":{"message":"top_p is too large","param":"top_p"}}');
      return true;
    };
    await v.ask('Fail.');
    await v.page.waitForSelector('.settings');
    await accessible(v, at + ': settings');
    await shot(v, 'settings-' + at);
    await v.button('Close', v.page.locator('.settings')).click();
    if (width < 800) {
      await v.button('Chats').click();
      await accessible(v, at + ': list');
      await shot(v, 'list-' + at);
      await v.page.locator('.chats .open').click(); // the chat that is shown anyway
      await v.page.waitForSelector('.list', { state: 'hidden' });
    }
    const others = busy(proxy.target);
    await v.button('Server').click();
    await v.page.waitForSelector('.charts polyline[points*=" "]', { state: 'attached' });
    await v.page.waitForSelector('.server meter');
    await accessible(v, at + ': server');
    await shot(v, 'server-' + at);
    await narrow();
    others.abort();
  };

export const tests = {
  'axe finds nothing in the light': look('light', 1100, 760),
  'axe finds nothing in the dark': look('dark', 1100, 760),
  'axe finds nothing in the light, on a telephone': look('light', 360, 740),
  'axe finds nothing in the dark, on a telephone': look('dark', 360, 740),

  async 'the whole way by keyboard: focus is always to be seen'({ come }) {
    const v = await come();
    await v.ask('Tell me a story.');
    const seen = new Set();
    for (let i = 0; i < 40; i++) {
      await v.page.keyboard.press('Tab');
      const at = await v.page.evaluate(() => {
        const e = document.activeElement,
          s = getComputedStyle(e.closest('.button') ?? e);
        return {
          name: e.getAttribute('aria-label') || e.innerText || e.id,
          shown: s.outlineStyle !== 'none' || e === document.body || e.tagName === 'MAIN',
        };
      });
      assert.ok(at.shown, `the focus on ${at.name} cannot be seen`);
      seen.add(at.name.trim());
    }
    for (const want of [
      'New chat',
      'Search in chats',
      'Chat',
      'Server',
      'Settings',
      'Edit',
      'Copy',
      'Another answer',
      'Repeat exactly',
      'Tokens',
      'Your message',
    ]) {
      assert.ok(seen.has(want), `${want} is not reached: ${[...seen]}`);
    }
  },
};
