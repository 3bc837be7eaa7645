// Several tabs of one browser on the same chat.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';

const noLocks = () => Object.defineProperty(navigator, 'locks', { value: undefined });
const noChannel = () => delete globalThis.BroadcastChannel;

// cut has a chat whose answer was stopped, and a second tab that shows it.
async function cut({ come, proxy }, init) {
  const v = await come({ init });
  proxy.pause = 60;
  await v.start('Tell me a story about a dog.', 4);
  await v.page.keyboard.press('Escape');
  await v.done();
  await eventually('it is written', async () => (await v.stored())[0]?.nodes && nodes(await v.stored())[1]?.finish);
  const other = await v.another();
  await other.page.waitForSelector('.message.model');
  return [v, other];
}

const nodes = ([c]) => Object.values(c.nodes);
const answers = async (v) => nodes(await v.stored()).filter((n) => n.role === 'assistant');

export const tests = {
  async 'an answer is continued in one tab only'(stage) {
    const [v, other] = await cut(stage);
    const part = await v.said();
    stage.proxy.pause = 300;
    await v.last('Continue').click();
    await v.writing(6);
    await other.page.waitForSelector('text=Another tab is writing this answer.');
    assert.equal(await other.last('Continue').count(), 0);
    await other.draft.fill('And me?');
    await other.draft.press('Enter');
    await other.page.waitForSelector('.notice >> text=Another tab is writing an answer in this chat.');
    assert.equal(await other.draft.inputValue(), 'And me?', 'the draft stays');
    await v.page.keyboard.press('Escape');
    await v.done();
    await other.last('Continue').waitFor();
    await eventually('both show the same', async () => (await v.said()) === (await other.said()));
    const more = await v.said();
    assert.ok(more.startsWith(part) && more.length > part.length);
    await other.last('Continue').click(); // from where the first tab has stopped
    await other.writing(1);
    await other.page.keyboard.press('Escape');
    await other.done();
    assert.ok((await other.said()).startsWith(more));
    await eventually('it is written', async () => (await answers(v))[0].text.trim() === (await other.said()).trim());
    assert.equal((await answers(v)).length, 1);
  },

  async 'Continue in two tabs at once: one of them writes'(stage) {
    const [v, other] = await cut(stage, noChannel);
    stage.proxy.seen = [];
    stage.proxy.pause = 300;
    await Promise.all([v.last('Continue').click(), other.last('Continue').click()]);
    await eventually('one is refused', async () => {
      const said = await Promise.all([v, other].map((x) => x.page.locator('.notices').innerText()));
      return said.join().includes('Another tab is writing this answer.');
    });
    assert.equal(stage.proxy.seen.filter((r) => r.path === '/v1/chat/completions').length, 1);
  },

  async 'where browsers have no locks both continuations are kept'(stage) {
    const [v, other] = await cut(stage, noLocks);
    const words = ['FIRST', 'SECOND'];
    stage.proxy.fault = (req, res) => {
      if (req.url !== '/v1/chat/completions') return false;
      const word = words.shift();
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const say = (content, end) =>
        res.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: end }] })}\n\n`);
      say(' ' + word, null);
      setTimeout(() => (say('.', 'stop'), res.end('data: [DONE]\n\n')), 3000);
      return true;
    };
    await Promise.all([v.last('Continue').click(), other.last('Continue').click()]);
    await v.done();
    await other.done();
    await eventually('both are written', async () => {
      const texts = (await answers(v)).map((n) => n.text);
      return ['FIRST.', 'SECOND.'].every((w) => texts.some((t) => t.endsWith(w)));
    });
    await v.page.reload();
    await v.page.waitForSelector('text=/of [23]/');
  },

  async 'a name and settings of one tab survive a message in the other'({ come }) {
    for (const init of [() => {}, noChannel]) {
      const v = await come({ init });
      await v.ask('Tell me a story.');
      const other = await v.another();
      await other.page.waitForSelector('.message.model');
      await v.page.getByLabel('Rename “Tell me a story.”').click();
      await v.page.getByLabel('New name').fill('Tales');
      await v.page.keyboard.press('Enter');
      await v.settings();
      await v.page.getByLabel('System prompt').fill('You tell stories.');
      await v.page.getByLabel('temp', { exact: true }).fill('0.3');
      await eventually('it is written', async () => (await v.stored())[0].params.temp === '0.3');
      await other.settings();
      await other.page.getByLabel('top_k', { exact: true }).fill('7');
      await other.ask('And then?');
      await eventually('it is written', async () => nodes(await v.stored()).filter((n) => n.finish).length === 2);
      const [c] = await v.stored();
      assert.deepEqual([c.title, c.system, c.params], ['Tales', 'You tell stories.', { temp: '0.3', top_k: '7' }]);
    }
  },

  async 'a chat that another tab deletes is said to be gone, and can be kept'({ come, proxy }) {
    const v = await come();
    await v.ask('Tell me a story.');
    const other = await v.another();
    await other.page.waitForSelector('.message.model');
    proxy.pause = 400;
    await other.start('And then?', 2);
    await v.page.getByLabel('Delete “Tell me a story.”').click();
    await other.page.waitForSelector('.notice >> text=/was deleted in another tab/');
    await other.done();
    assert.match(await other.answers().last().innerText(), /you stopped it/);
    assert.equal(await other.page.locator('.chats li').count(), 0);
    await other.page.waitForTimeout(300); // nothing writes it again
    assert.equal((await v.stored()).length, 0);
    await other.button('Keep the chat').click();
    await eventually('it is kept', async () => (await v.stored())[0] && nodes(await v.stored()).length === 4);
    await v.page.waitForSelector('.chats .open:text-is("Tell me a story.")');
  },

  async 'a deleted chat stays deleted for a tab that hears nothing, until somebody wants it'({ come }) {
    const v = await come({ init: noChannel });
    await v.ask('Tell me a story.');
    const other = await v.another();
    await other.page.waitForSelector('.message.model');
    await v.page.getByLabel('Delete “Tell me a story.”').click();
    await eventually('it is gone', async () => (await v.stored()).length === 0);
    await other.ask('And then?');
    await other.page.waitForSelector('.notice >> text=/was deleted in another tab/');
    assert.equal((await v.stored()).length, 0);
    await other.ask('Go on, please.'); // who goes on with it wants it
    await eventually('it is kept', async () => (await v.stored())[0] && nodes(await v.stored()).length === 6);
  },
};
