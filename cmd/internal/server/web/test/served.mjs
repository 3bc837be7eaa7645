// What the page knows of the server: its models, its settings, its numbers.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';
import { refuses, says } from './stage.mjs';

const sent = (proxy) => JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);

// lists has the server list some models.
const lists =
  (...names) =>
  (req, res) => {
    if (req.url !== '/v1/models') return false;
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ data: names.map((id) => ({ id })) }));
    return true;
  };

const facts = async (v) => {
  await v.page.waitForFunction(() => /tokens left/.test([...document.querySelectorAll('.state')].at(-1)?.innerText));
  return v.answers().last().locator('.state').last().innerText();
};
const left = async (v) => Number(/([\d,]+) of 1,024 tokens left/.exec(await facts(v))[1].replace(',', ''));
const tokens = async (v) => Number(/^(\d+) tokens/.exec(await facts(v))[1]);

export const tests = {
  async 'a chat whose model is gone says so, and takes the one that is there'({ come, proxy }) {
    const v = await come();
    const answers = says('An answer.');
    proxy.fault = (req, res) => lists('mpt-stories', 'other')(req, res) || answers(req, res);
    await v.page.reload();
    await v.settings();
    await v.page.getByLabel('Model', { exact: true }).selectOption('other');
    await v.ask('Hello');
    assert.equal(sent(proxy).model, 'other');
    await eventually('it is stored', async () => (await v.stored())[0]?.model === 'other');
    proxy.fault = null; // the server is started again, with one model
    await v.page.reload();
    await v.page.waitForSelector('.missing >> text=/“other”, which this server does not have: it has mpt-stories/');
    await v.ask('And now?');
    assert.match(await v.page.locator('.failure').innerText(), /no model "other"/);
    await v.button('Use mpt-stories', v.page.locator('.failure')).click();
    await v.page.waitForFunction(() => !document.querySelector('.failure'));
    await v.done();
    assert.equal(sent(proxy).model, undefined);
    assert.equal(await v.page.locator('.missing').count(), 0);
    // And before anything is sent, and for new chats.
    const [c] = await v.stored();
    assert.equal(c.model, '');
  },

  async 'new chats begin with a model that is there'({ come, proxy }) {
    const v = await come();
    const answers = says('An answer.');
    proxy.fault = (req, res) => lists('mpt-stories', 'other')(req, res) || answers(req, res);
    await v.page.reload();
    await v.settings();
    await v.page.getByLabel('Model', { exact: true }).selectOption('other');
    await v.page.getByLabel('temp', { exact: true }).fill('0.5');
    await v.ask('Hello');
    await eventually('it is stored', async () => (await v.stored())[0]?.model === 'other');
    proxy.fault = null;
    await v.page.reload();
    await v.page.waitForSelector('.missing');
    await v.button('New chat').click();
    await v.page.waitForSelector('.empty');
    assert.equal(await v.page.locator('.missing').count(), 0);
    await v.ask('Hello');
    assert.equal(sent(proxy).model, undefined);
    assert.equal(sent(proxy).temp, 0.5);
    await v.page.locator('.chats .open').last().click();
    await v.page.waitForSelector('.missing');
    await v.button('Use mpt-stories', v.page.locator('.missing')).click();
    await v.page.waitForSelector('.missing', { state: 'detached' });
  },

  async 'a server that did not tell its settings is asked again'({ come, proxy }) {
    const v = await come();
    proxy.fault = refuses('/props', 500, { message: 'not yet' }, {}, 2);
    await v.page.reload();
    await v.settings();
    await v.page.waitForFunction(() => document.querySelector('#f-temp')?.placeholder === '0.8');
    assert.equal(proxy.seen.filter((r) => r.path === '/props').length, 4); // and once before the reload
  },

  async 'who comes back to the page sees what the server has now'({ come, proxy }) {
    const v = await come();
    await v.page.waitForSelector('.model:text-is("mpt-stories")');
    proxy.fault = lists('renamed');
    await v.page.evaluate(() => {
      const now = performance.now.bind(performance);
      performance.now = () => now() + 60000;
      dispatchEvent(new Event('focus'));
    });
    await v.page.waitForSelector('.model:text-is("renamed")');
  },

  async 'the numbers of an answer that is stopped and continued'({ come, proxy }) {
    const v = await come();
    await v.settings();
    await v.page.getByLabel('seed', { exact: true }).fill('11');
    await v.ask('Tell me a story.');
    const whole = await tokens(v);
    await v.button('New chat').click(); // the server knows its prompt, and tells of no progress
    proxy.pause = 150;
    await v.start('Tell me a story.', 4);
    await v.page.keyboard.press('Escape');
    await v.done();
    const [n, room] = [await tokens(v), await left(v)];
    assert.ok(n >= 4 && n < whole, `${n} tokens`);
    await v.last('Continue').click();
    await v.page.waitForSelector('.writing');
    await v.writing(n + 3); // it counts on
    await v.page.keyboard.press('Escape');
    await v.done();
    const [m, less] = [await tokens(v), await left(v)];
    assert.ok(m >= n + 3, `${n}, then ${m} tokens`);
    assert.equal(room - less, m - n, 'each token takes its place in the context');
    proxy.pause = 0;
    await v.retry('Continue');
    const all = await tokens(v);
    assert.ok(all > m);
    assert.ok(Math.abs(less - (await left(v)) - (all - m)) <= 1, `${less}, ${await left(v)}: ${m}, ${all}`);
  },

  async 'the room for an answer counts the chat and the draft'({ come, proxy }) {
    const v = await come();
    await v.settings();
    await v.page.getByLabel('max_tokens').fill('5');
    const hint = async () => {
      await v.page.waitForFunction(() => /left for the answer/.test(document.getElementById('draft-hint').innerText));
      return /^([\d,]+) of 1,024 tokens with this message, (\d+) left/
        .exec(await v.page.locator('#draft-hint').innerText())
        .slice(1)
        .map((x) => Number(x.replace(',', '')));
    };
    await v.draft.fill('word '.repeat(100));
    const [alone, room] = await hint();
    assert.equal(alone + room, 1024);
    await v.draft.press('Enter');
    await v.done();
    const [, read, knew = 0] = /read (\d+) tokens(?:, knew (\d+))?/.exec(await facts(v));
    assert.equal(Number(read) + Number(knew), alone);
    await v.draft.fill('word '.repeat(100));
    const [both] = await hint();
    assert.ok(both > 2 * alone - 20, `${alone}, then ${both}`);
  },

  async 'an answer of another model is continued by its text'({ come, proxy }) {
    const v = await come();
    proxy.pause = 60;
    await v.start('Tell me a story.', 5);
    await v.page.keyboard.press('Escape');
    await v.done();
    proxy.pause = 0;
    proxy.fault = (req, res) => {
      if (req.url !== '/detokenize') return false;
      res.writeHead(200, { 'Content-Type': 'application/json' }).end('{"content":"other words"}');
      return true;
    };
    const { system_fingerprint: print, ...props } = await (await fetch(proxy.url + '/props')).json();
    const base = proxy.fault;
    proxy.fault = (req, res) => {
      if (base(req, res)) return true;
      if (req.url !== '/props') return false;
      res
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ ...props, system_fingerprint: 'fp_another' }));
      return true;
    };
    await v.page.reload();
    await v.page.waitForSelector('.model:text-is("mpt-stories")');
    const text = (await v.stored())[0];
    const part = Object.values(text.nodes).find((n) => n.role === 'assistant').text;
    proxy.seen = [];
    await v.last('Continue').click();
    await eventually('it is continued', () => proxy.seen.some((r) => r.path === '/v1/chat/completions'));
    await v.done();
    assert.equal(sent(proxy).continue_tokens, undefined);
    assert.deepEqual(sent(proxy).messages.at(-1), { role: 'assistant', content: part });
  },
};
