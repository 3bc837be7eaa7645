// Tries Ollama's client for JavaScript against a server: see try.mjs.
import assert from 'node:assert/strict';
import { Ollama } from 'ollama';

export default async function ollama(url, key, messages) {
  const c = new Ollama({ host: url, headers: { Authorization: `Bearer ${key}` } });
  const { models } = await c.list();
  const model = models[0].model;
  assert.equal(model, 'mpt-stories:latest');
  assert.match(models[0].digest, /^[0-9a-f]{64}$/);
  assert.equal((await c.ps()).models[0].model, model);
  assert.match((await c.version()).version, /^\d+\.\d+\.\d+$/);
  const shown = await c.show({ model });
  assert.equal(shown.details.family, 'mpt');
  assert.deepEqual(shown.capabilities, ['completion', 'embedding']);

  const ask = { model, messages, options: { num_predict: 24, seed: 7 } };
  const whole = await c.chat(ask);
  assert.equal(whole.done_reason, 'length');
  assert.equal(whole.eval_count, 24);
  const openai = await fetch(url + '/v1/chat/completions', {
    method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ messages, max_tokens: 24, seed: 7 }),
  });
  assert.equal(whole.message.content, (await openai.json()).choices[0].message.content);
  let text = '', last;
  for await (const part of await c.chat({ ...ask, stream: true })) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, whole.message.content);
  assert.ok(last.done && last.total_duration > 0);

  const generated = await c.generate({ model, prompt: messages[0].content, options: ask.options });
  assert.equal(generated.response, text);
  assert.ok(generated.context.length > 24);
  let raw = '';
  for await (const part of await c.generate({ model, prompt: 'Once upon a time', raw: true, stream: true, options: { num_predict: 5, temperature: 0 } })) raw += part.response;
  assert.ok(raw.startsWith(', there was'));
  assert.equal((await c.generate({ model, prompt: '' })).done_reason, 'load');
  const json = await c.chat({ ...ask, format: 'json', options: { num_predict: 200, seed: 1, temperature: 0 } });
  assert.ok(json.message.content.startsWith('{'));

  const { embeddings, prompt_eval_count } = await c.embed({ model, input: ['A dog.', 'A cat.'], truncate: true });
  const base = await fetch(url + '/v1/embeddings', {
    method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }, body: JSON.stringify({ input: 'A cat.' }),
  });
  assert.deepEqual(embeddings[1], (await base.json()).data[0].embedding);
  assert.ok(embeddings.length === 2 && prompt_eval_count > 3);
  assert.deepEqual((await c.embed({ model, input: '' })).embeddings, []);
  assert.equal((await c.embeddings({ model, prompt: 'A dog.' })).embedding.length, embeddings[0].length);

  const refused = (status, what) => (e) => e.name === 'ResponseError' && e.status_code === status && e.error.includes(what);
  await assert.rejects(c.chat({ ...ask, model: 'llama3' }), refused(404, 'llama3'));
  await assert.rejects(c.chat({ ...ask, stream: true, options: { temperature: -1 } }), refused(400, 'options.temperature'));
  await assert.rejects(c.chat({ ...ask, tools: [{ type: 'function', function: { name: 'f' } }] }), refused(400, 'tools'));
  await assert.rejects(c.pull({ model: 'llama3' }), refused(501, 'mpt pull'));
  await assert.rejects(c.delete({ model }), refused(501, 'mpt serve'));
  await assert.rejects(c.embed({ model, input: 'word '.repeat(3000) }), refused(400, 'context size'));
  await assert.rejects(new Ollama({ host: url }).list(), refused(401, 'API key'));

  const stream = await c.chat({ ...ask, stream: true, ignore_eos: true, options: { num_predict: 900, temperature: 0 } });
  let n = 0;
  await assert.rejects(async () => { // leaves in the middle
    for await (const _ of stream) if (++n === 3) stream.abort();
  }, { name: 'AbortError' });
  assert.ok(n >= 3); // what it had read already still comes
}
