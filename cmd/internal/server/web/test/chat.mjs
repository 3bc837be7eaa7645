// Asking and answering.
import assert from 'node:assert/strict';

const eventually = async (what, so) => {
  for (let i = 0; i < 600; i++) {
    if (await so()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail('after half a minute: ' + what);
};
export { eventually };

export const tests = {
  async 'asks, reads the stream, keeps all after a reload'({ come, proxy }) {
    const v = await come();
    proxy.pause = 10;
    await v.draft.fill('Tell me a story about a dog.');
    await v.draft.press('Enter');
    await v.page.waitForSelector('.writing');
    const early = await v.said();
    await v.done();
    const text = await v.said();
    assert.ok(text.length > 20 && text.length >= early.length);
    assert.match(
      await v.answers().last().locator('.state').last().innerText(),
      /\d+ tokens, [\d.,]+ a second · .*[\d,]+ of 1,024 tokens left in this chat .*· seed \d+/s,
    );
    const sent = JSON.parse(proxy.seen.find((r) => r.path === '/v1/chat/completions').body);
    assert.deepEqual(sent.messages, [{ role: 'user', content: 'Tell me a story about a dog.' }]);
    assert.ok(
      sent.stream && sent.return_progress && sent.logprobs && sent.temperature === undefined && sent.seed === undefined,
    );
    await v.ask('And then?');
    assert.equal(JSON.parse(proxy.seen.at(-1).body).messages?.length ?? 3, 3);
    await eventually(
      'it is written',
      async () =>
        (await v.stored())[0] && Object.values((await v.stored())[0].nodes).filter((n) => n.finish).length === 2,
    );
    const both = await v.page.locator('.markdown').allInnerTexts();
    await v.page.reload();
    await v.page.waitForSelector('.message.model >> nth=1');
    assert.deepEqual(await v.page.locator('.markdown').allInnerTexts(), both);
    assert.equal(await v.page.locator('.chats li').count(), 1);
  },

  async 'stops, by button and by Escape, and continues with the same tokens'({ come, proxy }) {
    const v = await come();
    proxy.pause = 60;
    await v.settings();
    await v.page.getByLabel('seed', { exact: true }).fill('11');
    for (const how of ['button', 'key']) {
      await v.draft.fill('Tell me a story.');
      await v.draft.press('Enter');
      await v.writing(12); // later than half a second: before that a click on Stop is taken for a second one on Send
      if (how === 'button') await v.button('Stop').click();
      else await v.page.keyboard.press('Escape');
      await v.done();
      assert.match(await v.answers().last().innerText(), /stopped/);
    }
    proxy.pause = 0;
    const cut = await v.said();
    await v.retry('Continue');
    const whole = await v.said();
    assert.ok(whole.startsWith(cut) && whole.length > cut.length, `${cut} | ${whole}`);
    const sent = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    assert.ok(sent.continue_tokens.length >= 4 && sent.messages.at(-1).role === 'user');
  },

  async 'edits and asks for another answer in branches'({ come }) {
    const v = await come();
    await v.ask('Tell me a story about a dog.');
    const first = await v.said();
    await v.last('Another answer').click();
    await v.page.waitForSelector('text=2 of 2');
    await v.done();
    await v.page.getByLabel('Previous version').click();
    assert.equal(await v.said(), first);
    await v.ask('Go on.');
    await v.page.locator('.message.user').first().getByRole('button', { name: 'Edit' }).click();
    await v.page.getByLabel('Edit the message').fill('Tell me a story about a cat.');
    await v.page.keyboard.press('Enter');
    await v.page.waitForFunction(() => document.querySelectorAll('.message').length === 2);
    await v.done();
    assert.equal(await v.page.locator('.said').innerText(), 'Tell me a story about a cat.');
    await v.page.locator('.message.user').getByLabel('Previous version').click();
    await v.page.waitForFunction(() => document.querySelectorAll('.message').length === 4);
    assert.equal(await v.page.locator('.markdown').first().innerText(), first);
  },

  async 'an edited answer is another version, and is gone on with'({ come, proxy }) {
    const v = await come();
    await v.ask('Tell me a story.');
    await v.last('Edit').click();
    await v.page.getByLabel('Edit the message').fill('Once there was a blue');
    await v.button('Keep as another version').click();
    await v.retry('Continue');
    assert.ok((await v.said()).startsWith('Once there was a blue'));
    const sent = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    assert.deepEqual(sent.messages.at(-1), { role: 'assistant', content: 'Once there was a blue' });
  },

  async 'the same seed gives the same answer, and says so'({ come, proxy }) {
    const v = await come();
    await v.ask('Tell me a story about a bird.');
    const first = await v.said();
    await v.last('Repeat exactly').click();
    await v.page.waitForSelector('.state.good');
    assert.equal(await v.said(), first);
    proxy.pause = 40;
    await v.last('Another answer').click();
    await v.page.waitForFunction(() =>
      /^([4-9]|\d\d) tokens/.test(document.querySelector('.writing')?.innerText ?? ''),
    );
    await v.page.keyboard.press('Escape');
    await v.done();
    proxy.pause = 0;
    await v.last('Repeat exactly').click();
    await v.page.waitForSelector('.state.good');
    proxy.fault = (await import('./stage.mjs')).says('Something else.');
    await v.last('Repeat exactly').click();
    await v.page.waitForSelector('.state.bad');
  },

  async 'an answer is not compared if the conversation above it has changed'({ come, proxy }) {
    const v = await come();
    proxy.fault = (req, res) => {
      if (req.url !== '/v1/chat/completions') return false;
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.end('data: {"choices":[{"index":0,"delta":{"content":"So far"},"finish_reason":null}]}\n\n'); // and no end
      return true;
    };
    await v.ask('Tell me a story about a dog.');
    proxy.fault = null;
    await v.ask('And then?');
    await v.last('Repeat exactly').click();
    await v.page.waitForSelector('.state.good');
    await v.button('Continue', v.page.locator('.failure')).click();
    await v.page.waitForFunction(() => !document.querySelector('.failure'));
    await v.done();
    await v.last('Repeat exactly').click();
    await v.page.waitForSelector('text=3 of 3');
    await v.done();
    assert.equal(await v.answers().last().locator('.state.bad, .state.good').count(), 0);
  },

  async 'settings are sent, shown with the defaults, and reset'({ come, proxy }) {
    const v = await come();
    await v.settings();
    const field = (name) => v.page.getByLabel(name, { exact: true });
    assert.equal(await field('temp').getAttribute('placeholder'), '0.8');
    assert.equal(await field('top_k').getAttribute('placeholder'), '40');
    const props = await (await fetch(proxy.url + '/props')).json();
    const { lora, ...params } = props.default_generation_settings.params; // adapters have switches
    assert.deepEqual(lora, []);
    for (const name of Object.keys(params))
      assert.equal(await field(name).count(), 1, name);
    await field('System prompt').fill('You tell stories.');
    await field('temp').fill('0');
    await field('max_tokens').fill('6');
    await field('samplers').fill('top_k;temperature');
    await field('logit_bias').fill('{"5": -1}');
    await field('stop').fill('one\ntwo');
    await v.ask('Hello');
    const sent = () => JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
    const { temp, max_tokens, samplers, logit_bias, stop, messages } = sent();
    assert.deepEqual(
      { temp, max_tokens, samplers, logit_bias, stop },
      { temp: 0, max_tokens: 6, samplers: 'top_k;temperature', logit_bias: { 5: -1 }, stop: ['one', 'two'] },
    );
    assert.equal(messages[0].content, 'You tell stories.');
    assert.match(await v.answers().last().innerText(), /ended at the limit/);
    await v.page.getByRole('button', { name: /Reset to the server/ }).click();
    await v.ask('Hello again');
    assert.equal(sent().temp, undefined);
    assert.equal(sent().messages[0].role, 'system');
    assert.equal(await field('temp').inputValue(), '');
  },

  async 'models, adapters and their scales'({ come, proxy }) {
    proxy.fault = (req, res) => {
      const body =
        req.url.startsWith('/lora-adapters')
          ? [
              { id: 0, path: '/models/tales.gguf', scale: 1 },
              { id: 1, path: '/models/jokes.gguf', scale: 0 },
            ]
          : req.url === '/v1/models'
            ? { data: [{ id: 'mpt-stories' }, { id: 'other' }] }
            : null;
      if (body) res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      return !!body;
    };
    const v = await come();
    await v.settings();
    const on = (name) => v.page.getByRole('checkbox', { name });
    const sends = async (want) => {
      await v.ask('Hello');
      const { lora } = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);
      assert.deepEqual(
        lora?.map((a) => a.scale),
        want,
      );
    };
    assert.equal(await on('tales.gguf').isChecked(), true);
    assert.equal(await on('jokes.gguf').isChecked(), false);
    await sends(undefined); // as the server has it
    await on('tales.gguf').uncheck();
    await on('jokes.gguf').check();
    await sends([0, 1]);
    await on('tales.gguf').check();
    await v.page.getByLabel('Scale of jokes.gguf').fill('much');
    await v.ask('Hello');
    assert.match(await v.page.locator('#f-lora-bad').innerText(), /“much” is not a number/);
    await v.page.getByLabel('Scale of jokes.gguf').fill('0.5');
    await sends([1, 0.5]);
    await v.page.getByLabel('Model', { exact: true }).selectOption('other');
    await v.ask('Hello');
    assert.match(await v.answers().last().locator('.failure').innerText(), /no model "other"/);
    assert.match(await v.page.locator('#f-model-bad').innerText(), /no model "other"/);
  },

  async 'answers obey a schema; a bad one is refused at its field'({ come }) {
    const v = await come();
    await v.settings();
    const schema = v.page.getByLabel('JSON schema');
    await schema.fill('{"type":"object","properties":{"animal":{"enum":["cat","dog"]}},"required":["animal"]}');
    await v.ask('Which animal?');
    assert.ok(['cat', 'dog'].includes(JSON.parse(await v.said()).animal));
    await schema.fill('{"not":{"type":"string"}}');
    await v.ask('Which animal?');
    assert.match(await v.page.locator('#f-schema-bad').innerText(), /not/);
    assert.equal(await schema.getAttribute('aria-invalid'), 'true');
    await schema.fill('{"type":');
    await v.last('Try again').click();
    await v.done();
    assert.match(await v.page.locator('#f-schema-bad').innerText(), /not valid JSON/);
    await schema.fill('');
    assert.equal(await v.page.locator('#f-schema-bad').innerText(), '');
    await v.retry();
    assert.equal(await v.page.locator('.failure').count(), 0);
  },

  async 'files and long pastes go along'({ come, proxy }) {
    const v = await come();
    await v.page.setInputFiles('.composer input[type=file]', {
      name: 'notes.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('a cat ``` sat'),
    });
    await v.page.waitForSelector('.composer .file');
    const put = (text) =>
      v.page.evaluate((t) => {
        const data = new DataTransfer();
        data.setData('text/plain', t);
        document
          .getElementById('draft')
          .dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
      }, text);
    await put('word '.repeat(401));
    await put('short');
    await v.page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(['dropped'], 'drop.md'));
      data.items.add(new File([new Uint8Array([0xff, 0xfe, 0])], 'picture.png'));
      document
        .querySelector('.composer')
        .dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    });
    await v.page.waitForSelector('text=cannot be attached');
    await eventually('three files', async () => (await v.page.locator('.composer .file').count()) === 3);
    await v.page.getByLabel('Remove pasted text 2.txt').click();
    await v.ask('What is in them?');
    const { content } = JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body).messages[0];
    assert.equal(content, 'notes.txt:\n````\na cat ``` sat\n````\n\ndrop.md:\n```\ndropped\n```\n\nWhat is in them?');
    assert.equal(await v.page.locator('.message.user .file').count(), 2);
  },

  async 'a long draft is measured'({ come, proxy }) {
    const v = await come();
    await v.draft.fill('word '.repeat(100));
    await v.page.waitForSelector('text=/^\\d+ of 1,024 tokens with this message, [\\d]+ left for the answer/');
    await v.draft.fill('word '.repeat(1500));
    await v.page.waitForSelector(
      'text=/Too long: with this message the chat has [\\d,]+ tokens, and the model can read 1,024/',
    );
  },

  async 'keys: Ctrl+K, Ctrl+Shift+O, Shift+Enter; a draft outlives a reload'({ come }) {
    const v = await come();
    await v.ask('Tell me about a whale.');
    await v.page.keyboard.press('Control+Shift+O');
    await v.page.waitForSelector('.empty');
    await v.page.waitForFunction(() => document.activeElement?.id === 'draft');
    await v.page.keyboard.type('one');
    await v.page.keyboard.press('Shift+Enter');
    await v.page.keyboard.type('two');
    assert.equal(await v.draft.inputValue(), 'one\ntwo');
    await v.page.reload();
    assert.equal(await v.draft.inputValue(), 'one\ntwo');
    await v.page.keyboard.press('Control+k');
    await v.page.waitForFunction(() => document.activeElement?.id === 'search');
    await v.page.keyboard.type('whale');
    await v.page.waitForSelector('text=1 found', { state: 'attached' });
    await v.page.keyboard.type('zzz');
    await v.page.waitForSelector('text=No chat has this text.');
  },

  async 'screen readers hear sentences, and the end'({ come, proxy }) {
    const v = await come();
    await v.page.evaluate(() => {
      globalThis.heard = [];
      new MutationObserver(() => heard.push(document.getElementById('spoken').textContent)).observe(
        document.getElementById('spoken'),
        { childList: true, characterData: true, subtree: true },
      );
    });
    proxy.pause = 20;
    await v.ask('Tell me a story about a dog.');
    const heard = (await v.page.evaluate(() => globalThis.heard)).filter(Boolean);
    assert.ok(heard.length > 1 && heard.slice(0, -1).every((s) => /[.!?:\n"”]\s*$/.test(s)), JSON.stringify(heard));
    assert.match(heard.at(-1), /The answer is complete\.$/);
    assert.equal(await v.page.locator('#spoken').getAttribute('aria-live'), 'polite');
  },
};
