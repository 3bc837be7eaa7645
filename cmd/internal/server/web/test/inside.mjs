// Inside an answer, and inside the server.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';

export const tests = {
  async 'tokens have probabilities; an alternative is gone on with'({ come, proxy }) {
    const v = await come();
    await v.ask('Tell me a story about a dog.');
    const text = await v.said(), sent = () => JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    await v.last('Tokens').click();
    const tokens = v.page.locator('.token > .word');
    assert.equal((await tokens.allInnerTexts()).join('').replace(/[\s↵]+/g, ' ').trim(), text.replace(/\s+/g, ' ').trim());
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
    await v.last('Again, the same').click(); // an answer that was branched, too
    await v.page.waitForSelector('.state.good');
    assert.equal(await v.said(), branched);
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
    await v.page.getByLabel('Keep the probabilities of tokens').uncheck();
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
    assert.match(await v.page.locator('.charts svg').first().getAttribute('aria-label'), /^Written: now [\d.,]+, at most/);
    assert.match(await v.page.locator('.server table').innerText(), /of 8 are free/);
    proxy.fault = (req, res) => {
      if (req.url !== '/metrics') return false;
      res.writeHead(501, { 'Content-Type': 'application/json' }).end('{"error":{"message":"off"}}');
      return true;
    };
    await v.page.waitForSelector('text=/metrics: It is switched off');
    await v.button('Chat').click();
    await eventually('the answer is there', async () => (await v.answers().count()) === 2);
  },
};
