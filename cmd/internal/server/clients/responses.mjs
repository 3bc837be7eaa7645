// Tries OpenAI's client with /v1/responses against a server: see try.mjs.
import assert from 'node:assert/strict';

export default async function responses(OpenAI, url, key, messages) {
  const c = new OpenAI({ baseURL: url + '/v1', apiKey: key, maxRetries: 0 });
  const ask = { model: 'mpt-stories', input: messages[0].content, max_output_tokens: 24, seed: 7 };
  const whole = await c.responses.create(ask);
  assert.ok(whole.output_text.length > 10);
  assert.equal(whole.status, 'incomplete');
  assert.equal(whole.incomplete_details.reason, 'max_output_tokens');
  assert.equal(whole.usage.output_tokens, 24);
  const chat = await c.chat.completions.create({ model: '', messages, max_tokens: 24, seed: 7 });
  assert.equal(whole.output_text, chat.choices[0].message.content);

  let text = '', last;
  for await (const event of await c.responses.create({ ...ask, stream: true })) {
    if (event.type === 'response.output_text.delta') text += event.delta;
    last = event;
  }
  assert.equal(text, whole.output_text);
  assert.equal(last.type, 'response.incomplete');
  assert.equal(last.response.output[0].content[0].text, text);

  const stream = c.responses.stream({ ...ask, max_output_tokens: 300, instructions: 'Be kind.', text: { format: { type: 'text' } }, stop: ['.'] });
  let snapshot = '';
  stream.on('response.output_text.delta', (event) => { snapshot = event.snapshot; });
  const final = await stream.finalResponse();
  assert.equal(final.status, 'completed');
  assert.ok(snapshot.length > 5);
  assert.equal(snapshot, final.output[0].content[0].text);

  const more = await c.responses.create({ ...ask, store: false, input: [{ role: 'user', content: 'Hello' }, ...whole.output, { role: 'user', content: 'And then?' }] });
  assert.ok(more.output_text.length > 5);

  const refused = (param) => (e) => e instanceof OpenAI.BadRequestError && e.param === param;
  await assert.rejects(c.responses.create({ ...ask, previous_response_id: whole.id }), refused('previous_response_id'));
  await assert.rejects(c.responses.create({ ...ask, store: true }), refused('store'));
  await assert.rejects(c.responses.create({ ...ask, stream: true, tools: [{ type: 'web_search' }] }), refused('tools'));
  await assert.rejects(c.responses.retrieve(whole.id), (e) => e instanceof OpenAI.NotFoundError);
  let n = 0;
  for await (const _ of await c.responses.create({ ...ask, max_output_tokens: 900, stream: true })) if (++n === 6) break; // leaves in the middle
  assert.equal(n, 6);
}
