// Tries real clients against a server: node try.mjs URL [KEY]
// The server has the built-in model, a context of 1024 and a key.
import assert from 'node:assert/strict';
import OpenAI4 from 'openai4';
import OpenAI6 from 'openai6';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateText, streamText } from 'ai';
import anthropic from './anthropic.mjs';
import ollama from './ollama.mjs';
import responses from './responses.mjs';

const url = process.argv[2], base = url + '/v1', key = process.argv[3] ?? 'none';
const messages = [{ role: 'user', content: 'Tell me a story about a dog.' }];

async function openai(OpenAI) {
  const c = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });
  const ask = { model: 'mpt-stories', messages, max_tokens: 24, seed: 7 };

  const whole = await c.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2 });
  const text = whole.choices[0].message.content;
  assert.ok(text.length > 10);
  assert.equal(whole.choices[0].finish_reason, 'length');
  assert.equal(whole.usage.completion_tokens, 24);
  assert.equal(whole.choices[0].logprobs.content.length, 24);

  let streamed = '', usage = null;
  for await (const chunk of await c.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })) {
    streamed += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(streamed, text);
  assert.equal(usage.total_tokens, whole.usage.total_tokens);

  const three = await c.chat.completions.create({ ...ask, n: 3, stop: ['.'] });
  assert.deepEqual(three.choices.map((x) => x.index), [0, 1, 2]);
  assert.ok(three.choices.every((x) => !x.message.content.includes('.')));

  const old = await c.completions.create({ model: 'mpt-stories', prompt: 'Once upon a time', max_tokens: 3, temperature: 0, echo: true, logprobs: 2 });
  assert.ok(old.choices[0].text.startsWith('Once upon a time'));
  assert.equal(old.choices[0].logprobs.token_logprobs[0], null);
  let typed = '';
  for await (const chunk of await c.completions.create({ model: '', prompt: 'Once', max_tokens: 5, temperature: 0, stream: true })) {
    typed += chunk.choices[0].text;
  }
  assert.ok(typed.length > 3);

  const best = await c.completions.create({ model: '', prompt: 'Once', max_tokens: 5, n: 1, best_of: 4, temperature: 1 });
  assert.equal(best.choices.length, 1);
  assert.equal(best.usage.completion_tokens, 20);

  const vectors = await c.embeddings.create({ model: 'mpt-stories', input: ['A dog.', 'A cat.'] }); // as base64, where the client does so
  const floats = await c.embeddings.create({ model: 'mpt-stories', input: 'A cat.', encoding_format: 'float' });
  assert.deepEqual(Array.from(vectors.data[1].embedding, Math.fround), floats.data[0].embedding.map(Math.fround));
  assert.equal(vectors.usage.prompt_tokens, vectors.usage.total_tokens);
  await assert.rejects(c.embeddings.create({ model: 'mpt-stories', input: ['a', ''] }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'input[1]');

  assert.ok((await c.models.list()).data.some((m) => m.id === 'mpt-stories'));
  assert.equal((await c.models.retrieve('mpt-stories')).id, 'mpt-stories');

  await assert.rejects(c.chat.completions.create({ ...ask, temperature: 500 }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'temperature');
  await assert.rejects(c.chat.completions.create({ ...ask, model: 'gpt-4' }), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found');
  await assert.rejects(c.chat.completions.create({ ...ask, messages: [{ role: 'user', content: 'word '.repeat(3000) }], stream: true }),
    (e) => e instanceof OpenAI.BadRequestError && e.code === 'context_length_exceeded');
  const stranger = new OpenAI({ baseURL: base, apiKey: 'wrong', maxRetries: 0 });
  await assert.rejects(stranger.models.list(), (e) => e instanceof OpenAI.AuthenticationError);

  const stream = await c.chat.completions.create({ ...ask, max_tokens: 900, stream: true, ignore_eos: true });
  let n = 0;
  for await (const _ of stream) if (++n === 3) break; // leaves in the middle
  assert.equal(n, 3);
}

async function langchain(useResponsesApi) {
  const m = new ChatOpenAI({ model: 'mpt-stories', apiKey: key, maxTokens: 16, temperature: 0, useResponsesApi, configuration: { baseURL: base } });
  const whole = await m.invoke('Tell me a story about a dog.');
  assert.ok(whole.text.length > 5);
  let text = '';
  for await (const chunk of await m.stream('Tell me a story about a dog.')) text += chunk.text;
  assert.equal(text, whole.text);
  if (useResponsesApi) return;
  const e = new OpenAIEmbeddings({ model: 'mpt-stories', apiKey: key, configuration: { baseURL: base } });
  const [first, second] = await e.embedDocuments(['A dog.', 'A cat.']);
  assert.deepEqual(await e.embedQuery('A cat.'), second);
  assert.ok(Math.abs(first.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5);
}

async function vercel() {
  const provider = createOpenAICompatible({ name: 'mpt', baseURL: base, apiKey: key, includeUsage: true });
  const ask = { model: provider('mpt-stories'), prompt: 'Tell me a story about a dog.', maxOutputTokens: 16, temperature: 0 };
  const whole = await generateText(ask);
  assert.ok(whole.text.length > 5);
  assert.equal(whole.usage.outputTokens, 16);
  assert.equal(whole.finishReason, 'length');
  const s = streamText(ask);
  let text = '';
  for await (const piece of s.textStream) text += piece;
  assert.equal(text, whole.text);
  assert.equal((await s.usage).outputTokens, 16);
  const { embeddings, usage } = await embedMany({ model: provider.textEmbeddingModel('mpt-stories'), values: ['A dog.', 'A cat.'] });
  assert.ok(embeddings.length === 2 && usage.tokens > 3);
}

for (const [name, run] of [
  ['openai 4', () => openai(OpenAI4)], ['openai 6', () => openai(OpenAI6)], ['langchain', () => langchain(false)], ['vercel ai', vercel],
  ['responses of openai 4', () => responses(OpenAI4, url, key, messages)], ['responses of openai 6', () => responses(OpenAI6, url, key, messages)],
  ['responses of langchain', () => langchain(true)], ['ollama', ollama], ['anthropic', anthropic],
]) {
  await run(url, key, messages);
  console.log(`${name}: passed`);
}
