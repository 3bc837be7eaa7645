// Tries Anthropic's client for JavaScript, and fetch alone, against a server: see try.mjs.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';

export default async function anthropic(url, key, messages) {
  const c = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
  const ask = { model: 'mpt-stories', messages, max_tokens: 24, seed: 7, metadata: { user_id: 'u' } };
  const whole = await c.messages.create(ask);
  const text = whole.content[0].text;
  assert.ok(text.length > 10);
  assert.equal(whole.stop_reason, 'max_tokens');
  assert.equal(whole.usage.output_tokens, 24);
  assert.ok(whole._request_id.startsWith('req_'));

  const stream = c.messages.stream(ask);
  let streamed = '';
  stream.on('text', (piece) => { streamed += piece; });
  const final = await stream.finalMessage();
  assert.equal(streamed, text);
  assert.equal(final.content[0].text, text);
  assert.equal(final.stop_reason, 'max_tokens');
  assert.equal(final.usage.input_tokens + final.usage.cache_read_input_tokens, whole.usage.input_tokens + whole.usage.cache_read_input_tokens);
  assert.equal((await c.messages.countTokens({ model: '', messages })).input_tokens, whole.usage.input_tokens + whole.usage.cache_read_input_tokens);

  const stopped = await c.messages.create({ ...ask, max_tokens: 100, system: [{ type: 'text', text: 'Be kind.' }], stop_sequences: ['.'], temperature: 0 });
  assert.equal(stopped.stop_reason, 'stop_sequence');
  assert.equal(stopped.stop_sequence, '.');

  await assert.rejects(c.messages.create({ ...ask, temperature: 5 }), (e) => e instanceof Anthropic.BadRequestError && e.type === 'invalid_request_error' && e.message.includes('temperature'));
  await assert.rejects(c.messages.create({ ...ask, model: 'claude' }), (e) => e instanceof Anthropic.NotFoundError && e.type === 'not_found_error');
  await assert.rejects(c.messages.create({ ...ask, tools: [{ name: 'f', input_schema: { type: 'object' } }], stream: true }), (e) => e instanceof Anthropic.BadRequestError);
  const stranger = new Anthropic({ baseURL: url, apiKey: 'wrong', maxRetries: 0 });
  await assert.rejects(stranger.messages.create(ask), (e) => e instanceof Anthropic.AuthenticationError && e.type === 'authentication_error');
  let n = 0;
  for await (const _ of await c.messages.create({ ...ask, max_tokens: 900, stream: true })) if (++n === 5) break; // leaves in the middle
  assert.equal(n, 5);

  // Without a client's help.
  const answer = await fetch(url + '/v1/messages', {
    method: 'POST', headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask, stream: true }),
  });
  const types = [];
  let fetched = '';
  for (const event of (await answer.text()).trimEnd().split('\n\n')) {
    const [name, data] = event.split('\n');
    const v = JSON.parse(data.slice('data: '.length));
    assert.equal(name, `event: ${v.type}`);
    types.push(v.type);
    fetched += v.delta?.text ?? '';
  }
  assert.equal(fetched, text);
  assert.deepEqual([...new Set(types)], ['message_start', 'content_block_start', 'ping', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop']);
}
