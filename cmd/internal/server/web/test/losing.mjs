// Nothing is lost: by a reload in the middle, or by a storage that is full or forbidden.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';
import { says } from './stage.mjs';

// full has the storage refuse all that is put into it until refuse is set to false.
const full = () => {
  globalThis.refuse = true;
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (...values) {
    if (globalThis.refuse) throw new DOMException('full', 'QuotaExceededError');
    return put.apply(this, values);
  };
};

export const tests = {
  async 'a reload in the middle of an answer loses next to nothing'({ come, proxy }) {
    const v = await come();
    proxy.pause = 25;
    await v.start('Tell me a story about a dog.', 12);
    await v.page.waitForTimeout(150);
    const early = await v.said();
    await v.page.reload();
    await v.page.waitForSelector('.message.model .markdown');
    assert.ok((await v.said()).startsWith(early), `${early} | ${await v.said()}`);
    assert.match(await v.answers().last().innerText(), /not finished: the page was closed/);
    await v.last('Continue').waitFor();
  },

  async 'a tab that dies in the middle of an answer loses half a second at most'({ come, proxy }) {
    const v = await come({ init: () => addEventListener('pagehide', (e) => e.stopImmediatePropagation(), true) });
    proxy.pause = 100;
    await v.start('Tell me a story about a dog.', 8);
    const early = await v.said();
    await eventually('it is stored', async () => {
      const node = Object.values((await v.stored())[0]?.nodes ?? {}).find((n) => n.role === 'assistant');
      return !node?.finish && node?.text.trim().startsWith(early);
    });
    const other = await v.another();
    await v.page.close();
    await other.page.waitForSelector('.message.model .markdown');
    assert.ok((await other.said()).startsWith(early));
  },

  async 'an answer of which nothing had come can be tried again after a reload'({ come, proxy }) {
    const v = await come();
    proxy.fault = (req) => req.url === '/v1/chat/completions'; // and never answers
    await v.draft.fill('Hello');
    await v.draft.press('Enter');
    await eventually('it is stored', async () => (await v.stored()).length === 1);
    proxy.fault = null;
    await v.page.reload();
    await v.retry();
    assert.ok((await v.said()).length > 0);
  },

  async 'a full storage: said, tried again, and Undo brings back what was never stored'({ come, proxy }) {
    const v = await come({ init: full });
    proxy.fault = says('An answer.');
    await v.ask('First');
    await v.page.waitForSelector('.notice >> text=/storage is full/');
    await v.page.getByLabel('Delete “First”').click();
    await v.button('Undo').click();
    await v.page.waitForSelector('.said:text-is("First")');
    assert.equal(await v.said(), 'An answer.');
    const asks = await v.page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })));
    assert.ok(asks, 'the browser asks before it leaves');
    await v.page.getByLabel('Search in chats').fill('answer');
    await v.page.waitForSelector('text=1 found', { state: 'attached' }); // in what is stored nowhere
    await v.page.evaluate(() => (globalThis.refuse = false));
    await v.page.waitForSelector('.notice >> text=All chats are stored again.');
    assert.equal(await v.page.locator('.notice >> text=/storage is full/').count(), 0);
    assert.equal(Object.keys((await v.stored())[0].nodes).length, 2);
    assert.equal(await v.page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true }))), false);
  },

  async 'a storage that was forbidden for a while is opened again'({ come, proxy }) {
    const v = await come({
      init: () => {
        globalThis.refuse = true;
        const real = indexedDB;
        Object.defineProperty(globalThis, 'indexedDB', {
          get() {
            if (globalThis.refuse) throw new DOMException('not allowed here', 'SecurityError');
            return real;
          },
        });
      },
    });
    proxy.fault = says('An answer.');
    await v.ask('First');
    await v.page.waitForSelector('.notice >> text=/does not let this page store chats/');
    await v.page.evaluate(() => (globalThis.refuse = false));
    await v.page.waitForSelector('.notice >> text=All chats are stored again.');
    assert.equal((await v.stored()).length, 1);
  },

  async 'chats of the first version of the storage are taken over'({ come, proxy }) {
    proxy.fault = says('An answer.');
    const v = await come();
    await v.page.goto(proxy.url + '/LICENSES.txt'); // where nothing holds the storage
    await v.page.evaluate(
      () =>
        new Promise((done, failed) => {
          indexedDB.deleteDatabase('mptgo');
          const open = indexedDB.open('mptgo', 1);
          open.onupgradeneeded = () => {
            for (const name of ['heads', 'chats']) open.result.createObjectStore(name, { keyPath: 'id' });
          };
          open.onerror = () => failed(open.error);
          open.onsuccess = () => {
            const t = open.result.transaction(['heads', 'chats'], 'readwrite');
            const node = (id, parent, role, text) => ({ id, parent, role, text, rev: 1, at: 1 });
            const nodes = { q: node('q', '', 'user', 'An old question'), a: node('a', 'q', 'assistant', 'An old') };
            const head = { id: 'old', title: '', updated: 2 };
            t.objectStore('chats').put({ ...head, created: 1, system: '', params: {}, model: '', pick: {}, nodes });
            t.objectStore('heads').put({ ...head, title: 'An old question' });
            t.oncomplete = () => (open.result.close(), done());
          };
        }),
    );
    await v.page.goto(proxy.url + '/');
    await v.page.locator('.chats .open', { hasText: 'An old question' }).click();
    await v.page.waitForSelector('.state >> text=/the page was closed/');
    assert.equal(await v.said(), 'An old');
    await v.ask('And now?');
    await v.page.reload();
    await v.page.waitForSelector('.said:text-is("And now?")');
    const [c] = await v.stored();
    assert.equal(Object.keys(c.nodes).length, 4);
  },
};
