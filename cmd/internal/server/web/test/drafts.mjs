// Drafts, the settings of a chat that is not sent yet, and addresses.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';
import { says } from './stage.mjs';

const open = (v, title) => v.page.locator('.chats .open', { hasText: title }).click();
const shows = (v, text) => v.page.waitForSelector(`.said:text-is("${text}")`);

export const tests = {
  async 'a draft stays in its chat'({ come, proxy }) {
    const v = await come();
    proxy.fault = says('An answer.');
    await v.ask('First');
    await v.draft.fill('for the first');
    await v.page.keyboard.press('Control+Shift+O');
    await v.page.waitForSelector('.empty');
    assert.equal(await v.draft.inputValue(), '');
    await v.draft.fill('for the new one');
    await open(v, 'First');
    await shows(v, 'First');
    assert.equal(await v.draft.inputValue(), 'for the first');
    await v.page.reload();
    await shows(v, 'First');
    assert.equal(await v.draft.inputValue(), 'for the first');
    await v.button('New chat').click();
    await v.page.waitForSelector('.empty');
    assert.equal(await v.draft.inputValue(), 'for the new one');
    await v.ask('Second');
    await v.button('New chat').click();
    await v.page.waitForSelector('.empty');
    assert.equal(await v.draft.inputValue(), '');
  },

  async 'a file that is read when another chat is shown goes where it was dropped'({ come, proxy }) {
    const v = await come();
    proxy.fault = says('An answer.');
    await v.ask('First');
    await v.page.evaluate(() => {
      const read = File.prototype.arrayBuffer;
      File.prototype.arrayBuffer = async function () {
        await new Promise((done) => (globalThis.go = done));
        return read.call(this);
      };
    });
    await v.page.setInputFiles('.composer input[type=file]', {
      name: 'a.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('a'),
    });
    await v.button('New chat').click();
    await v.page.waitForSelector('.empty');
    await v.page.evaluate(() => globalThis.go());
    await open(v, 'First');
    await v.page.waitForSelector('.composer .file');
    await v.button('New chat').click();
    await v.page.waitForSelector('.empty');
    assert.equal(await v.page.locator('.composer .file').count(), 0);
  },

  async 'the settings of a chat that is not sent outlive a reload'({ come, proxy }) {
    const v = await come();
    await v.settings();
    await v.page.getByLabel('System prompt').fill('You tell stories.');
    await v.page.getByLabel('temp', { exact: true }).fill('0.3');
    await v.draft.fill('Hello');
    await v.page.reload();
    await v.settings();
    assert.equal(await v.page.getByLabel('System prompt').inputValue(), 'You tell stories.');
    assert.equal(await v.page.getByLabel('temp', { exact: true }).inputValue(), '0.3');
    assert.equal(await v.draft.inputValue(), 'Hello');
    await v.draft.press('Enter');
    await v.done();
    const sent = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    assert.equal(sent.temp, 0.3);
    assert.equal(sent.messages[0].content, 'You tell stories.');
  },

  async 'the address names the chat that is shown, whoever is faster'({ come, proxy }) {
    const v = await come({
      init: () => {
        const get = IDBObjectStore.prototype.get;
        IDBObjectStore.prototype.get = function (key) {
          const r = get.call(this, key);
          if (this.name !== 'chats' || key !== globalThis.slow) return r;
          const late = {};
          r.onsuccess = () => {
            // Requests hold the transaction open while it waits.
            const end = performance.now() + 700;
            const spin = () => {
              if (performance.now() < end) return (r.source.count().onsuccess = spin);
              late.result = r.result;
              late.onsuccess?.();
            };
            spin();
          };
          return late;
        };
      },
    });
    proxy.fault = says('An answer.');
    for (const text of ['First', 'Second']) {
      await v.ask(text);
      await v.button('New chat').click();
      await v.page.waitForSelector('.empty');
    }
    await eventually('it is stored', async () => (await v.stored()).length === 2);
    await v.page.reload();
    const id = async (title) => (await v.stored()).find((c) => Object.values(c.nodes)[0].text === title).id;
    const [first, second] = [await id('First'), await id('Second')];
    const fine = async () => assert.equal(new URL(v.page.url()).hash, `#/chat/${first}`);
    // While a slow chat is loaded, an answer is written in the one that is shown.
    await open(v, 'First');
    await shows(v, 'First');
    proxy.fault = null;
    proxy.pause = 60;
    await v.start('And then?');
    await v.page.evaluate((id) => (globalThis.slow = id), second);
    await open(v, 'Second');
    await v.page.waitForTimeout(300);
    assert.equal(new URL(v.page.url()).hash, `#/chat/${second}`, 'the address stays');
    await shows(v, 'Second');
    assert.equal(new URL(v.page.url()).hash, `#/chat/${second}`);
    // Who goes to a slow one and then to another arrives at the other.
    await v.page.reload();
    await shows(v, 'Second');
    await v.page.evaluate((id) => (globalThis.slow = id), first);
    await open(v, 'First');
    await open(v, 'Second');
    await v.page.waitForTimeout(1000);
    await shows(v, 'Second');
    assert.equal(await v.page.locator('.said').count(), 1);
    await v.page.evaluate(() => (globalThis.slow = ''));
    await open(v, 'First');
    await shows(v, 'First');
    await fine();
  },
};
