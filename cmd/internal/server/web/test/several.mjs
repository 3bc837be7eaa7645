// Several models, each with adapters, settings and a context of its own.
import assert from 'node:assert/strict';
import { eventually } from './chat.mjs';

const adapters = {
  'mpt-stories': [
    { id: 0, name: 'tales', path: 'lora', scale: 1 },
    { id: 1, name: 'jokes', path: 'lora', scale: 0 },
  ],
  other: [{ id: 0, name: 'songs', path: 'lora', scale: 0 }],
};
const parents = { tales: 'mpt-stories', jokes: 'mpt-stories', songs: 'other' };
const contexts = { 'mpt-stories': 1024, other: 300 };
const sent = (proxy) => JSON.parse(proxy.seen.findLast((r) => r.path === '/v1/chat/completions').body);

// several has the server have two models, the second of which is `loaded` or not; its one model answers for both.
const several = (state) => (req, res, body) => {
  const url = new URL(req.url, 'http://x'),
    name = url.searchParams.get('model') ?? (body && body.startsWith('{') ? JSON.parse(body).model : ''),
    base = parents[name] ?? name ?? '';
  const give = (v, status = 200) => {
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(v));
    return true;
  };
  if (url.pathname === '/v1/models')
    return give({ data: ['mpt-stories', 'tales', 'jokes', 'other', 'songs'].map((id) => ({ id, parent: parents[id] })) });
  if (url.pathname === '/tokenize') return (state.loaded = true) && give({ tokens: [] });
  if (!['/lora-adapters', '/props', '/slots'].includes(url.pathname)) return false;
  if (base === 'other' && !state.loaded)
    return give({ error: { code: 'model_not_loaded', message: 'the model other is not loaded' } }, 400);
  if (url.pathname === '/lora-adapters') return give(adapters[base || 'mpt-stories']);
  if (url.pathname === '/slots') return give([{ id: 0, is_processing: base === 'other', n_ctx: 300, n_decoded: 7 }]);
  const params = { temp: 0.8, top_k: 40, lora: [] };
  return give({
    default_generation_settings: { n_ctx: contexts[base || 'mpt-stories'], params },
    model_alias: base,
    system_fingerprint: 'fp',
  });
};

const use = (v, name) => v.page.getByLabel('Model', { exact: true }).selectOption(name);
const boxes = (v) => v.page.locator('.adapter label').allInnerTexts();
const shows = (v, ...names) =>
  eventually(`adapters ${names}`, async () => (await boxes(v)).map((x) => x.trim()).join() === names.join());

// answered has answers by the model that is there.
const answered = (proxy, state) => {
  const known = several(state);
  proxy.fault = (req, res, body) => {
    if (known(req, res, body)) return true;
    if (req.url !== '/v1/chat/completions') return false;
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const event = { choices: [{ index: 0, delta: { content: 'Yes.' }, finish_reason: 'stop' }], system_fingerprint: 'fp' };
    const timings = { cache_n: 0, prompt_n: 9, predicted_n: 1, predicted_per_second: 5 };
    res.end(`data: ${JSON.stringify({ ...event, timings })}\n\ndata: [DONE]\n\n`);
    return true;
  };
};

export const tests = {
  async 'each model has adapters of its own, and files may have the same name'({ come, proxy }) {
    answered(proxy, { loaded: true });
    const v = await come();
    await v.settings();
    await shows(v, 'tales', 'jokes');
    await v.page.getByRole('checkbox', { name: 'jokes' }).check();
    assert.equal(await v.page.getByRole('checkbox', { name: 'tales' }).isChecked(), true);
    await v.page.getByLabel('Scale of tales').fill('0.25');
    await v.ask('Hello');
    assert.deepEqual(sent(proxy).lora, [
      { id: 0, scale: 0.25 },
      { id: 1, scale: 1 },
    ]);
    await use(v, 'other');
    await shows(v, 'songs');
    await v.page.waitForSelector('text=/Not of this model, and left out: /');
    await v.page.getByRole('checkbox', { name: 'songs' }).check();
    await v.ask('Hello');
    assert.equal(sent(proxy).model, 'other');
    assert.deepEqual(sent(proxy).lora, [{ id: 0, scale: 1 }]);
    assert.match(await v.answers().last().innerText(), /290 of 300 tokens left/);
    // An adapter that answers under its own name is alone.
    await use(v, 'tales');
    await v.page.waitForSelector('text=/is this adapter of mpt-stories/');
    await v.ask('Hello');
    assert.equal(sent(proxy).model, 'tales');
    assert.equal(sent(proxy).lora, undefined);
  },

  async 'adapters of a model that is not loaded are asked for before they are set'({ come, proxy }) {
    const state = { loaded: true };
    answered(proxy, state);
    const v = await come();
    await v.settings();
    await use(v, 'other');
    await shows(v, 'songs');
    await v.page.getByRole('checkbox', { name: 'songs' }).check();
    await v.ask('Hello');
    state.loaded = false;
    await v.page.reload();
    await v.settings();
    await v.page.waitForSelector('text=/can be seen once it is loaded/');
    assert.equal(await v.page.locator('#f-temp').getAttribute('placeholder'), '0.8');
    await v.ask('Hello again');
    assert.deepEqual(sent(proxy).lora, [{ id: 0, scale: 1 }]);
    await shows(v, 'songs');
  },

  async 'after a restart the ids of adapters are those of the server'({ come, proxy }) {
    answered(proxy, { loaded: true });
    const v = await come();
    await v.settings();
    await shows(v, 'tales', 'jokes');
    await v.page.getByRole('checkbox', { name: 'tales' }).uncheck();
    await v.page.getByRole('checkbox', { name: 'jokes' }).check();
    const [before, known] = [adapters['mpt-stories'], proxy.fault];
    proxy.fault = (req, res, body) => {
      if (!req.url.startsWith('/lora-adapters')) return known(req, res, body);
      res.writeHead(200).end(JSON.stringify([...before].reverse().map((a, id) => ({ ...a, id }))));
      return true;
    };
    await v.ask('Hello');
    assert.deepEqual(sent(proxy).lora, [
      { id: 0, scale: 1 }, // jokes, which was 1
      { id: 1, scale: 0 },
    ]);
    await shows(v, 'jokes', 'tales');
    // The same if the first model has another name now.
    const swapped = proxy.fault;
    proxy.fault = (req, res, body) => {
      if (req.url !== '/v1/models') return swapped(req, res, body);
      res.writeHead(200).end(JSON.stringify({ data: ['other', 'songs'].map((id) => ({ id, parent: parents[id] })) }));
      return true;
    };
    await v.ask('Hello');
    assert.equal(await v.page.locator('.failure').count(), 0);
    assert.ok(proxy.seen.some((r) => r.path === '/lora-adapters?model=other'));
    // And if there are none at all.
    proxy.fault = (req, res, body) => {
      if (!req.url.startsWith('/lora-adapters')) return swapped(req, res, body);
      res.writeHead(200).end('[]');
      return true;
    };
    await v.ask('Hello');
    assert.equal(sent(proxy).lora, undefined);
    await v.page.waitForSelector('text=/Not of this model, and left out: tales, jokes/');
  },

  async 'a model that a restart has taken away is not offered'({ come, proxy }) {
    answered(proxy, { loaded: true });
    const v = await come();
    await v.settings();
    await use(v, 'other');
    const known = proxy.fault;
    proxy.fault = (req, res, body) => {
      if (req.url !== '/v1/models') return !req.url.startsWith('/v1/chat') && known(req, res, body);
      res.writeHead(200).end(JSON.stringify({ data: [{ id: 'newcomer' }] }));
      return true;
    };
    await v.ask('Hello'); // which the server itself refuses
    await v.button('Use newcomer', v.page.locator('.failure')).waitFor();
  },

  async 'the numbers of the server are those of all its models'({ come, proxy }) {
    const known = several({ loaded: true });
    proxy.fault = (req, res, body) => {
      if (req.url !== '/metrics') return known(req, res, body);
      const of = (name, n) => `llamacpp:tokens_predicted_total{model_name="${name}"} ${n}\n`;
      res.writeHead(200).end(of('mpt-stories', 1200) + of('other', 34) + 'process_resident_memory_bytes 5\n');
      return true;
    };
    const v = await come();
    await v.page.waitForSelector('.model:text-is("mpt-stories")');
    await v.button('Server').click();
    await v.page.waitForSelector('.numbers dd:text-is("1,234")');
    await v.page.waitForSelector('td:text-is("other 0")');
    await v.page.waitForSelector('text=/1 of 2 places are free/');
  },
};
