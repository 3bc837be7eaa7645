// Inside an answer, and inside the server.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';

export const tests = {
  async 'tokens have probabilities; an alternative is gone on with'({ come, proxy }) {
    const v = await come();
    await v.ask('Tell me a story about a dog.');
    const text = await v.said(),
      sent = () => JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    await v.last('Tokens').click();
    const tokens = v.page.locator('.token > .word');
    assert.equal(
      (await tokens.allInnerTexts())
        .join('')
        .replace(/[\s↵]+/g, ' ')
        .trim(),
      text.replace(/\s+/g, ' ').trim(),
    );
    assert.match(await tokens.nth(2).getAttribute('aria-label'), /, (<|\d).*%$/);
    await tokens.nth(3).hover();
    await v.page.waitForSelector('.others');
    const others = v.page.locator('.others button:not(:disabled)');
    const label = (await others.first().locator('code').innerText()).replace(/␣/g, ' ');
    const head = (await tokens.allTextContents()).slice(0, 3).join('');
    await others.first().click();
    await v.page.waitForSelector('text=2 of 2');
    await v.done();
    assert.ok((await v.said()).startsWith((head + label).trim()), `${head}|${label}|${await v.said()}`);
    assert.equal(sent().continue_tokens.length, 4);
    assert.equal(sent().messages.length, 1);
    const branched = await v.said();
    await v.last('Repeat exactly').click(); // an answer that was branched, too
    await v.page.waitForSelector('.state.good');
    assert.equal(await v.said(), branched);
  },

  async 'an alternative that is a part of a character becomes whole'({ come, proxy }) {
    const token = (id, text, bytes, others = []) => ({ id, token: text, bytes, logprob: -1, top_logprobs: others });
    const part = token(3, '\ufffd', [0xc3]),
      coder = new TextEncoder();
    const bytes = (s) => [...coder.encode(s)];
    const first = [token(1, 'caf', bytes('caf')), token(2, 'e', bytes('e'), [token(2, 'e', bytes('e')), part])];
    proxy.fault = (req, res, body) => {
      if (!req.url.endsWith('/chat/completions')) return false;
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const asked = JSON.parse(body).continue_tokens ?? [];
      for (const t of asked.length ? [token(4, '\ufffd', [0xa9]), token(5, '!', bytes('!'))] : first) {
        const choice = { index: 0, delta: { content: t.token }, finish_reason: null, logprobs: { content: [t] } };
        res.write(`data: ${JSON.stringify({ choices: [choice], seed: 1 })}\n\n`);
      }
      res.end('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
      return true;
    };
    const v = await come();
    await v.ask('Where?');
    assert.equal(await v.said(), 'cafe');
    await v.last('Tokens').click();
    await v.page.locator('.token > .word').nth(1).hover();
    await v.page.locator('.others button:not(:disabled)').click();
    await v.page.waitForSelector('text=2 of 2');
    await v.done();
    assert.equal(await v.said(), 'café!');
    assert.deepEqual(JSON.parse(proxy.seen.at(-1).body).continue_tokens, [1, 3]);
  },

  async 'tokens by keyboard alone'({ come }) {
    const v = await come();
    await v.ask('Tell me a story about a dog.');
    await v.last('Tokens').press('Enter');
    await v.page.locator('.token > .word').first().focus();
    for (const k of ['ArrowRight', 'ArrowRight', 'ArrowLeft', 'ArrowRight', 'Tab']) await v.page.keyboard.press(k);
    assert.equal(await v.page.evaluate(() => !!document.activeElement.closest('.others')), true);
    await v.page.keyboard.press('Enter');
    await v.page.waitForSelector('text=2 of 2');
    await v.done();
  },

  async 'without probabilities nothing is asked for and nothing shown'({ come, proxy }) {
    const v = await come();
    await v.settings();
    await v.page.getByLabel('Store how likely each token was').uncheck();
    await v.ask('Hello');
    const sent = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    assert.ok(!sent.logprobs && sent.top_logprobs === undefined);
    assert.equal(await v.last('Tokens').count(), 0);
  },

  async 'the server in charts'({ come, proxy }) {
    const v = await come();
    await v.ask('Tell me a story.');
    proxy.pause = 100;
    await v.draft.fill('Another story, please.');
    await v.draft.press('Enter');
    await v.button('Server').click();
    await v.page.waitForSelector('.charts svg polyline[points*=" "]', { state: 'attached' });
    assert.equal(await v.page.locator('.charts svg').count(), 6);
    assert.match(
      await v.page.locator('.charts svg').first().getAttribute('aria-label'),
      /^Writing: now [\d.,]+, at most/,
    );
    assert.match(await v.page.locator('.server table').innerText(), /of 8 places are free/);
    proxy.fault = (req, res) => {
      if (req.url !== '/metrics') return false;
      res.writeHead(501, { 'Content-Type': 'application/json' }).end('{"error":{"message":"off"}}');
      return true;
    };
    await v.page.waitForSelector('text=/metrics: The server was started without it');
    await v.button('Chat').click();
    await eventually('the answer is there', async () => (await v.answers().count()) === 2);
  },
};
