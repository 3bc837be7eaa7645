// What a model writes may cost without end: the page stays, and shows it.
import assert from 'node:assert/strict';
import { says } from './stage.mjs';

const row = (cell, n) => '|' + cell.repeat(n) + '\n';

// A text, what must be in the page at most so many times, and words of it that must be seen.
const costly = [
  ['- '.repeat(2000) + 'deep', 'li', 50, 'deep'],
  ['> '.repeat(3000) + 'deep', 'blockquote', 50, 'deep'],
  [Array.from({ length: 300 }, (_, i) => ' '.repeat(2 * i) + '- a').join('\n') + ' deep', 'li', 60, 'deep'],
  ['['.repeat(1000) + 'deep' + '](x)'.repeat(1000), 'a', 50, 'deep'],
  ['*a_'.repeat(1000) + 'deep' + '_a*'.repeat(1000), 'em', 50, 'deep'],
  ['_a'.repeat(4000) + ' end', 'em', 50, 'end'],
  ['<b>'.repeat(1000) + 'deep', 'b', 50, 'deep'],
  ['a\n\n' + '- <b>\n'.repeat(1000) + '\n\nend', 'b', 50, 'end'],
  [row('a|', 3000) + row('-|', 3000) + 'b\n'.repeat(300) + '\nend', 'td, th', 0, 'end'],
  [row('a|', 90) + row('-|', 90) + row('b|', 90).repeat(300) + '\nend', 'td, th', 0, 'end'],
  ['`a``b'.repeat(4000) + 'end', 'code', 50, 'end'],
  ['a.'.repeat(6000) + '@ end', 'a', 0, 'end'],
  ['```go\n' + 'x := f(1, "a")\n'.repeat(3800) + '// end\n```', '[class^=hljs-]', 0, 'end'],
  ['```go\n' + 'x := f(1, "a"); '.repeat(100) + '// end\n```', '[class^=hljs-]', 0, 'end'],
  ['Some **bold** words.\n\n'.repeat(5000) + 'end', 'strong', 0, 'end'],
];

export const tests = {
  async 'costly Markdown is shown as it is written, and the chat opens again'({ come, proxy }) {
    const v = await come();
    for (const [text, parts, most, words] of costly) {
      proxy.fault = says(text, {}, 4000);
      const name = text.slice(0, 30);
      await v.ask('x');
      await v.page.waitForFunction(
        (w) => [...document.querySelectorAll('.markdown')].at(-1)?.textContent.includes(w),
        words,
      );
      const n = await v.answers().last().locator('.markdown').locator(parts).count();
      assert.ok(n <= most, `${name}: ${n} of ${parts}`);
      assert.equal((await v.last('Copy').count()) > 0, true, name);
      await v.page.keyboard.press('Control+Shift+O');
    }
    for (const [text, , , words] of costly.slice(0, 3)) {
      proxy.fault = says(text, {}, 4000);
      await v.ask('opened again');
      await v.page.waitForFunction(() => location.hash.startsWith('#/chat/'));
      await v.page.waitForTimeout(100);
      await v.page.reload();
      await v.page.waitForFunction((w) => document.querySelector('.markdown')?.textContent.includes(w), words);
      await v.page.keyboard.press('Control+Shift+O');
    }
  },

  async 'what is slow to draw is drawn at the end'({ come, proxy }) {
    const v = await come({
      init: () => {
        const now = performance.now.bind(performance);
        let more = 0;
        performance.now = () => now() + (more += 150);
      },
    });
    proxy.pause = 60;
    await v.draft.fill('Tell me a story about a dog.');
    await v.draft.press('Enter');
    await v.page.waitForSelector('text=/takes long; it follows at the end/');
    await v.done();
    assert.equal(await v.page.locator('.markdown.written').count(), 0);
    assert.ok((await v.page.locator('.markdown > div').count()) > 0);
  },

  async 'a message that cannot be drawn takes nothing else with it'({ come, proxy }) {
    const v = await come({
      init: () => {
        const put = Element.prototype.replaceChildren;
        Element.prototype.replaceChildren = function (...list) {
          if (list[0]?.textContent?.includes('poison')) throw new Error('no room');
          return put.apply(this, list);
        };
      },
    });
    proxy.fault = says('**poison**');
    await v.ask('x');
    assert.match(await v.answers().last().innerText(), /\*\*poison\*\*\s+.*drawing it failed \(no room\)/);
    proxy.fault = says('**good**');
    await v.ask('y');
    assert.equal(await v.answers().last().locator('strong').innerText(), 'good');
  },

  async 'a draft that cannot be shown can be thrown away'({ come }) {
    const v = await come();
    await v.page.evaluate(() => {
      const { id } = JSON.parse(sessionStorage.getItem('mptgo.new'));
      sessionStorage.setItem('mptgo.draft.' + id, '{"text":"lost","files":[{}]}');
    });
    await v.page.reload();
    await v.page.waitForSelector('text=/This draft cannot be shown/');
    assert.match(await v.page.locator('.composer').innerText(), /lost/);
    await v.button('Discard it').click();
    await v.ask('Hello');
  },

  async 'a file with very many backticks goes along'({ come, proxy }) {
    proxy.fault = says('Read.');
    const v = await come();
    await v.page.setInputFiles('.composer input[type=file]', {
      name: 'ticks.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('` '.repeat(300_000) + '````'),
    });
    await v.page.waitForSelector('.composer .file');
    await v.ask('What is in it?');
    const { content } = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body).messages[0];
    assert.match(content.slice(0, 30), /^ticks.txt:\n`````\n` /);
  },
};
