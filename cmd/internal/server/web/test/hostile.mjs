// What a model writes is hostile, and so are files.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { build } from 'vite';
import { says } from './stage.mjs';

const attacks = [
  '<script>pwned=1</script>',
  '<img src=x onerror="pwned=1">',
  '<img src="https://example.com/spy.png">',
  '![spy](https://example.com/spy.png)',
  '![x](x"onerror="pwned=1)',
  '[click](javascript:pwned=1)',
  '[click](JaVaScRiPt:pwned=1)',
  '[click](java&#x0A;script:pwned=1)',
  '[click](data:text/html,<script>parent.pwned=1</script>)',
  '[click](vbscript:pwned=1)',
  '[click](/metrics)',
  '<a href="javascript:pwned=1" id="x">a</a>',
  '<svg onload="pwned=1"><script>pwned=1</script></svg>',
  '<svg><animate onbegin="pwned=1" attributeName="x" dur="1s"/></svg>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=pwned=1&gt;">',
  '<style>body{display:none;background:url(https://example.com/a)}</style>',
  '<p style="background:url(https://example.com/b);position:fixed">p</p>',
  '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
  '<iframe src="https://example.com"></iframe>',
  '<object data="https://example.com/o"></object><embed src="https://example.com/e">',
  '<form action="https://example.com"><input name=q><button>send</button></form>',
  '<meta http-equiv="refresh" content="0;url=https://example.com">',
  '<base href="https://example.com/">',
  '<link rel="stylesheet" href="https://example.com/s.css">',
  '<video src="https://example.com/v" autoplay onplay="pwned=1"></video><audio src="https://example.com/u"></audio>',
  '<details open ontoggle="pwned=1"><summary>s</summary></details>',
  '<b onmouseover="pwned=1">b</b>',
  '<input autofocus onfocus="pwned=1">',
  '<div id="spoken">clobber</div><a id="draft" name="draft">clobber</a>',
  '<noscript><p title="</noscript><img src=x onerror=pwned=1>">',
  '<template><script>pwned=1</script></template>',
  '<button popovertarget="x" onclick="pwned=1">b</button>',
  '```html\n<script>pwned=1</script><img src=x onerror=pwned=1>\n```',
  '```"><img src=x onerror=pwned=1>\ncode\n```',
  '| <img src=x onerror=pwned=1> | b |\n|---|---|\n| [l](javascript:pwned=1) | <script>pwned=1</script> |',
  '<https://example.com/"onmouseover="pwned=1>',
];

// remains lists what must not be in an element.
const remains = (root) => {
  const list = [];
  for (const e of root.querySelectorAll('*')) {
    if (
      /^(script|style|svg|math|img|iframe|object|embed|form|input|meta|base|link|video|audio|template|noscript)$/i.test(
        e.tagName,
      )
    )
      list.push(e.outerHTML);
    for (const a of e.attributes) {
      if (/^on/i.test(a.name) || a.name === 'style' || a.name === 'src' || a.name === 'id' || a.name === 'name')
        list.push(`${a.name}=${a.value}`);
    }
    if (
      e.tagName === 'A' &&
      e.hasAttribute('href') &&
      !(/^(https?|mailto):/.test(e.getAttribute('href')) && /\bnoopener\b/.test(e.rel))
    )
      list.push(e.outerHTML);
  }
  return list;
};

export const tests = {
  async 'hostile Markdown does nothing'({ come, proxy }) {
    const v = await come();
    const foreign = [];
    await v.context.route(/example\.com/, (r) => (foreign.push(r.request().url()), r.abort()));
    for (const text of [...attacks, attacks.join('\n\n')]) {
      proxy.fault = says(text);
      await v.ask('x');
      const left = await v.page.evaluate(`[...document.querySelectorAll('.markdown')].flatMap(${remains})`);
      assert.deepEqual(left, [], text);
      for (const a of await v.answers().last().locator('a:not([href])').all())
        await a.click({ force: true, timeout: 1000 }).catch(() => {});
      assert.equal(await v.page.evaluate(() => globalThis.pwned), undefined, text);
    }
    assert.deepEqual(foreign, []);
    assert.equal(v.page.url().split('#')[0], proxy.url + '/');
    assert.equal(v.context.pages().length, 1);
    v.requests.length = 0;
  },

  // The Markdown above is escaped before it is cleaned: this tests the cleaning alone, where no
  // policy of the page helps.
  async 'what cleans is safe by itself'({ come }) {
    const v = await come();
    const entry = join(import.meta.dirname, '../src/purify.js');
    const built = await build({
      configFile: false,
      logLevel: 'silent',
      build: { write: false, lib: { entry, formats: ['iife'], name: 'purify' } },
    });
    const page = await v.context.newPage(),
      foreign = [];
    await v.context.route(/example\.com/, (r) => (foreign.push(r.request().url()), r.abort()));
    await page.addScriptTag({ content: [built].flat()[0].output[0].code });
    for (const html of attacks) {
      const left = await page.evaluate(
        `(html) => {
        document.body.replaceChildren(purify.pure(html));
        return (${remains})(document.body);
      }`.replace(/^/, '(') + `)(${JSON.stringify(html)})`,
      );
      assert.deepEqual(left, [], html);
    }
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
    assert.deepEqual(foreign, []);
  },

  async 'Markdown is drawn, code in colours, with a button that copies'({ come, proxy }) {
    const v = await come();
    await v.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: proxy.url });
    proxy.fault = says(
      '# Head\n\n- **one**\n- two\n\n```go\nfunc main() { return "x" }\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n' +
        'See <https://example.org/x>.\n\n' +
        'Use <div> and <br> in HTML. x<sub>2</sub>',
    );
    await v.ask('x');
    const m = v.page.locator('.markdown');
    assert.equal(await m.locator('h1').innerText(), 'Head');
    assert.equal(await m.locator('li strong').innerText(), 'one');
    assert.equal(await m.locator('td').count(), 2);
    assert.equal(await m.locator('sub').innerText(), '2');
    assert.match(await m.innerText(), /Use <div> and/);
    assert.match(await m.locator('a').getAttribute('rel'), /noopener/);
    await m.locator('.hljs-keyword').first().waitFor();
    await m.getByRole('button', { name: 'Copy the go code' }).click();
    assert.equal(await v.page.evaluate(() => navigator.clipboard.readText()), 'func main() { return "x" }');
  },

  async 'questions are shown as they are'({ come }) {
    const v = await come();
    await v.ask('<img src=x onerror=pwned=1> **no**');
    assert.equal(await v.page.locator('.said').innerText(), '<img src=x onerror=pwned=1> **no**');
  },
};
