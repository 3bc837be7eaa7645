// What goes wrong is said in words where it happens, and nothing is lost.
import assert from 'node:assert/strict';
import { Proxy, refuses, says, serve } from './stage.mjs';

const chat = '/v1/chat/completions';

export const tests = {
  async 'the server goes away in the middle, and comes back'({ come, proxy }) {
    const v = await come();
    await v.settings();
    await v.page.getByLabel('seed', { exact: true }).fill('5');
    await v.ask('Tell me a story about a dog.');
    const whole = await v.said();
    proxy.pause = 60;
    await v.last('Another answer').click();
    await v.page.waitForFunction(() =>
      /^([4-9]|\d\d) tokens/.test(document.querySelector('.writing')?.innerText ?? ''),
    );
    await proxy.stop();
    await v.done();
    assert.match(await v.page.locator('.failure').innerText(), /broke off before the answer was finished/);
    const part = await v.said();
    assert.ok(part.length > 5 && whole.startsWith(part), `${part} | ${whole}`);
    await v.draft.fill('Are you there?');
    await v.draft.press('Enter');
    await v.page.waitForSelector('text=Is mpt serve running?');
    assert.match(await v.page.locator('.failure').last().innerText(), /does not answer/);
    assert.equal(await v.page.locator('.said').last().innerText(), 'Are you there?');
    await proxy.start(proxy.port);
    proxy.pause = 0;
    await v.page.waitForSelector('text=The server is back.');
    await v.retry();
    assert.equal(await v.page.locator('.failure').count(), 1);
    await v.button('Continue', v.page.locator('.failure')).click();
    await v.page.waitForFunction(() => !document.querySelector('.failure'));
    await v.done();
    assert.ok((await v.answers().first().locator('.markdown').innerText()).startsWith(part));
  },

  async 'a full queue is waited for, as long as it says'({ come, proxy }) {
    const v = await come();
    proxy.fault = refuses(chat, 429, { message: 'full', code: 'queue_full' }, { 'Retry-After': '2' }, 1);
    await v.draft.fill('Hello');
    await v.draft.press('Enter');
    await v.page.waitForSelector('text=/queue is full. Trying again in 2 s/');
    await v.done();
    assert.equal(await v.page.locator('.failure').count(), 0);
    assert.equal(proxy.seen.filter((r) => r.path === chat).length, 2);
    proxy.fault = refuses(chat, 503, { message: 'Loading model', code: 'loading' }, { 'Retry-After': '60' });
    await v.draft.fill('Again');
    await v.draft.press('Enter');
    await v.page.waitForSelector('text=/loading its model. Trying again/');
    await v.page.waitForTimeout(600); // a click at once would be the second one of a double click on Send
    await v.button('Stop').click();
    await v.done();
  },

  async 'a full context is told with its numbers'({ come }) {
    const v = await come();
    await v.ask('word '.repeat(1200));
    assert.match(
      await v.page.locator('.failure').innerText(),
      /has 1[\d]{3} tokens, and the context has room for 1024/,
    );
    assert.equal((await v.page.locator('.said').innerText()).trim().length, 5999);
  },

  async 'a key is asked for, kept for the tab, and sent'({ come, binary }) {
    const server = await serve(binary, '--api-key', 'secret', '--api-prefix', '/llm'),
      p = new Proxy(server.port);
    await p.start();
    const v = await come({}, p.url + '/llm');
    const ask = async (key) => {
      await v.page.getByLabel('Key', { exact: true }).fill(key);
      await v.button('Use the key').click();
    };
    await ask('wrong');
    await v.page.waitForFunction(() => document.querySelector('dialog input[name=key]')?.value === '');
    await v.page.waitForSelector('dialog[open]');
    await ask('secret');
    await v.page.waitForSelector('text=mpt-stories');
    await v.ask('Hello');
    assert.equal(await v.page.locator('.failure').count(), 0);
    assert.ok(p.seen.every((r) => r.path.startsWith('/llm')));
    await v.page.reload();
    await v.page.waitForSelector('text=mpt-stories');
    assert.equal(await v.page.locator('dialog').count(), 0);
    assert.ok(!JSON.stringify(await v.stored()).includes('secret'));
    await v.page.goto(p.url + '/llm'); // without the slash
    await v.page.waitForSelector('#draft');
    await v.leave();
    await p.stop();
    server.end();
  },

  async 'a key that is wrong, or cannot be sent, is said to be and can be forgotten'({ come, binary }) {
    const server = await serve(binary, '--api-key', 'secret'),
      p = new Proxy(server.port);
    await p.start();
    const v = await come({}, p.url);
    const dialog = v.page.locator('dialog');
    const ask = async (key, keep) => {
      await v.page.getByLabel('Key', { exact: true }).fill(key);
      if (keep) await v.page.getByLabel('Remember it').check();
      await v.button('Use the key').click();
    };
    const kept = () => v.page.evaluate(() => localStorage.getItem('mptgo.key'));
    assert.equal(await v.page.locator('#key-bad').innerText(), '');
    await ask('пароль', true);
    await dialog.locator('text=characters that no browser can send').waitFor();
    assert.equal(await kept(), null);
    await ask('wrong', true);
    await dialog.locator('text=The server refused this key.').waitFor();
    await ask('secret', true);
    await v.page.waitForSelector('text=mpt-stories');
    assert.equal(await kept(), 'secret');
    await v.button('Server').click();
    await v.button('Forget the API key').click();
    await dialog.waitFor(); // for this view asks all the time
    assert.equal(await kept(), null);
    assert.equal(await v.page.locator('#key-bad').innerText(), '');
    await v.page.evaluate(() => localStorage.setItem('mptgo.key', 'пароль')); // an earlier page took it
    await v.page.goto(p.url + '/');
    await v.page.reload();
    await dialog.waitFor();
    assert.equal(await kept(), null);
    assert.equal(await v.page.locator('.notice').count(), 0);
    await v.leave();
    await p.stop();
    server.end();
  },

  async 'a field that the server refuses is named'({ come }) {
    const v = await come();
    await v.settings();
    const field = (n) => v.page.getByLabel(n, { exact: true });
    for (const [name, value, words] of [
      ['top_p', '5', /top_p|range|from 0 to 1|1/],
      ['temp', 'hot', /not a number/],
      ['seed', 'x', /whole number/],
      ['logit_bias', '{', /not valid JSON/],
      ['samplers', 'dice', /dice/],
    ]) {
      await field(name).fill(value);
      await v.ask('Hello');
      assert.match(await v.page.locator(`#f-${name}-bad`).innerText(), words, name);
      assert.equal(await v.page.locator('.failure').count(), 1);
      await field(name).fill('');
      await v.retry();
      assert.equal(await v.page.locator('.failure').count(), 0, name);
    }
  },

  async 'an error in the middle of a stream keeps what came'({ come, proxy }) {
    const v = await come();
    proxy.fault = (req, res) => {
      if (req.url !== chat) return false;
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.write('data: {"choices":[{"index":0,"delta":{"content":"So far"},"finish_reason":null}]}\n\n');
      res.end('data: {"error":{"message":"the memory is full","code":null,"param":null}}\n\n');
      return true;
    };
    await v.ask('Hello');
    assert.equal(await v.said(), 'So far');
    assert.match(await v.page.locator('.failure').innerText(), /The memory is full\./);
    proxy.fault = (req, res) => {
      if (req.url !== chat) return false;
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.end('data: {"choices":[{"index":0,"delta":{"content":"So far"},"finish_reason":null}]}\n\n'); // and no [DONE]
      return true;
    };
    await v.ask('And now?');
    assert.match(await v.page.locator('.failure').last().innerText(), /broke off/);
  },

  async 'storage that is forbidden or full: said, and the chat goes on'({ come, proxy }) {
    proxy.fault = says('An answer.');
    for (const init of [
      () =>
        Object.defineProperty(globalThis, 'indexedDB', {
          get() {
            throw new DOMException('not allowed here', 'SecurityError');
          },
        }),
      () =>
        (IDBObjectStore.prototype.put = () => {
          throw new DOMException('full', 'QuotaExceededError');
        }),
    ]) {
      const v = await come({ init });
      await v.ask('First');
      await v.page.waitForSelector('text=/in this tab only/');
      assert.equal(await v.said(), 'An answer.');
      await v.page.keyboard.press('Control+Shift+O');
      await v.ask('Second');
      await v.page.locator('.chats .open', { hasText: 'First' }).click();
      await v.page.waitForSelector('.said:text-is("First")');
      const [download] = await Promise.all([v.page.waitForEvent('download'), v.button('Export all').click()]);
      const { readFileSync } = await import('node:fs');
      assert.equal(JSON.parse(readFileSync(await download.path())).chats.length, 2);
    }
  },
};
