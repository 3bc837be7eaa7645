// Answers: what is sent for one, and what becomes of it.
import * as api from './api.js';
import { endPart, latest, writePart } from './keep.js';
import { adapterName, advanced, ask, bases, changed, drawn, fresh, isServed, learn, live, notice } from './state.js';
import { panel, props, spoken, told, touch, wrong } from './state.js';
import * as tabs from './tabs.js';
import * as tree from './tree.js';

const running = new Map(); // how to stop an answer, by its message
const calm = 500; // milliseconds after which Stop stops: it comes where Send was, and people click twice

// The default number of alternatives of every token.
const alternatives = 5;

// contentOf is what the model reads of a message: attached files, then the text.
export function contentOf(node) {
  const files = (node.files ?? []).map(({ name, text }) => {
    let most = 2; // a loop, for a call takes only so many arguments
    for (const [run] of text.matchAll(/`+/g)) most = Math.max(most, run.length);
    const fence = '`'.repeat(most + 1);
    return `${name}:\n${fence}\n${text.replace(/\n?$/, '\n')}${fence}\n\n`;
  });
  return files.join('') + node.text;
}

// textOf is the text that tokens make: their bytes, for a character may be several tokens.
export function textOf(tokens) {
  const coder = new TextEncoder(),
    decoder = new TextDecoder();
  let text = '';
  for (const t of tokens) text += decoder.decode(t[4] ? new Uint8Array(t[4]) : coder.encode(t[1]), { stream: true });
  return text + decoder.decode();
}

const rawNumber = (s) => (JSON.rawJSON ? JSON.rawJSON(s) : Number(s));

// messagesOf returns messages as they are sent, without attempts that failed.
export function messagesOf(nodes, system) {
  const said = nodes.filter((n) => n.role === 'user' || n.text);
  const messages = said.map((n) => ({ role: n.role, content: n.role === 'user' ? contentOf(n) : n.text }));
  return system ? [{ role: 'system', content: system }, ...messages] : messages;
}

// request is the body for an answer.
async function request(c, node) {
  const { system, params, model, seed, limit } = node.recipe;
  // An adapter that is named as the model is alone. Else ids of adapters are those of the model.
  const list = params.lora && !bases.value.has(model) ? (await learn(model)).adapters : [];
  const messages = messagesOf(tree.above(c, node), system);
  if (node.bare) messages.push({ role: 'assistant', content: node.text.slice(0, node.bare) });
  const body = { messages, stream: true, return_progress: true };
  if (model) body.model = model;
  for (const [name, value] of Object.entries(params)) setField(body, name, value, list);
  if (body.logprobs !== false) Object.assign(body, { logprobs: true, top_logprobs: alternatives });
  if (node.tokens?.length) body.continue_tokens = node.tokens.map((t) => t[0]);
  if (seed) body.seed = rawNumber(seed);
  if (limit) body.max_tokens = limit;
  return body;
}

function number(text, param) {
  if (!Number.isFinite(Number(text))) throw new api.Trouble(`“${text}” is not a number.`, { param });
  return Number(text);
}

// setField puts what stands in a field of the settings into a request to a model with these adapters.
function setField(body, name, value, adapters) {
  const json = (what) => {
    try {
      return JSON.parse(value);
    } catch (e) {
      throw new api.Trouble(`${what} is not valid JSON: ${e.message}.`, { param: name });
    }
  };
  if (value === '' || value === undefined) return;
  if (name === 'schema') {
    body.response_format = { type: 'json_schema', json_schema: { name: 'answer', schema: json('The schema') } };
  } else if (name === 'logit_bias') {
    body.logit_bias = json('This list');
  } else if (name === 'lora') {
    // All of them are sent: those that are left out are off.
    const scales = adapters.map((a) => ({ id: a.id, scale: number(value[adapterName(a)] ?? a.scale, name) }));
    if (scales.length) body.lora = scales;
  } else if (name === 'stop') {
    body.stop = value.split('\n').filter(Boolean);
  } else if (name === 'seed') {
    if (!/^-?\d{1,19}$/.test(value)) throw new api.Trouble('A seed is a whole number, such as 42.', { param: 'seed' });
    body.seed = rawNumber(String(BigInt(value)));
  } else if (
    typeof value === 'string' &&
    typeof props.value?.default_generation_settings.params[name] !== 'string' &&
    name !== 'samplers'
  ) {
    body[name] = number(value, name);
  } else {
    body[name] = value;
  }
}

// fieldOf is the field of the settings that an error of the server is about.
function fieldOf(e) {
  const schema = e.code === 'invalid_schema' || /^(response_format|json_schema|schema)/.test(e.param ?? '');
  const name = schema ? 'schema' : (e.param ?? '').split(/[.[]/)[0];
  if (name === 'messages' && /system/.test(e.message)) return 'system';
  return name;
}

const fields = () => [
  'schema',
  'system',
  'stop',
  'max_tokens',
  'lora',
  'seed',
  'model',
  ...Object.keys(props.value?.default_generation_settings.params ?? {}),
];

function recipe(c, more) {
  return { system: c.system, params: structuredClone(c.params), model: c.model, ...more };
}

// send sends a message and answers it.
export function send(c, text, files, sisterOf) {
  const parent = sisterOf ? sisterOf.parent : (tree.path(c).at(-1)?.id ?? '');
  const node = tree.add(c, parent, 'user', text, files.length ? { files } : {});
  touch(c);
  return answer(c, node);
}

// answer answers a message, beside answers that it has.
export const answer = (c, question) => run(c, tree.add(c, question.id, 'assistant', '', { recipe: recipe(c) }));

// revise puts another text beside an answer; it can be gone on with.
export function revise(c, node, text) {
  tree.add(c, node.parent, 'assistant', text, { bare: text.length, finish: 'edited', recipe: recipe(c) });
  changed(c);
}

// retry makes an attempt that failed again.
export const retry = (c, node) =>
  run(c, node, async (c, n) => {
    if (!n.twin) n.recipe = recipe(c, { from: n.recipe?.from, at: n.recipe?.at });
    if (n.text || n.tokens?.length) await resume(c, n);
  });

// goOn continues an answer, by its tokens if they are known.
export const goOn = (c, node) => run(c, node, resume);

async function resume(c, node) {
  if (!known(node) || !(await isReadAlike(node, c.model))) {
    node.tokens = [];
    node.bare = node.text.length;
  }
  node.tokens = node.tokens.filter((t) => t[1] !== '' || t[4]?.length);
  node.recipe = recipe(c, { from: node.tokens.length, at: node.text.length });
}

// isReadAlike reports whether the server's model has the tokens of an answer that another may have written.
async function isReadAlike(node, model) {
  if (!node.print || node.print === told.value.get(model)?.props.system_fingerprint) return true;
  try {
    const { content } = await api.json('detokenize', {
      tokens: node.tokens.map((t) => t[0]),
      ...(model && { model }),
    });
    return content === textOf(node.tokens);
  } catch {
    return false;
  }
}

// known reports whether tokens make the whole text of an answer.
export const known = (node) => !!node.tokens?.length && textOf(node.tokens) === node.text.slice(node.bare ?? 0);

// again makes an answer once more, by the same request: the same text has to come.
export function again(c, node) {
  const { from = 0, at = 0 } = node.recipe;
  const limit = node.finish === 'stopped' && node.tokens ? node.tokens.length - from : node.recipe.limit;
  const twin = tree.add(c, node.parent, 'assistant', node.text.slice(0, at), {
    bare: node.bare,
    tokens: node.tokens?.slice(0, from),
    recipe: { ...node.recipe, seed: node.seed, limit: limit || undefined },
    twin: node.id,
  });
  return run(c, twin);
}

// branch goes on from an alternative of a token.
export function branch(c, node, i, [id, text, p, bytes]) {
  const kept = [...node.tokens.slice(0, i), [id, text, p, node.tokens[i][3], bytes]];
  const all = node.text.slice(0, node.bare ?? 0) + textOf(kept);
  const { params, system, model } = node.recipe ?? recipe(c);
  const from = kept.length;
  return run(
    c,
    tree.add(c, node.parent, 'assistant', all, {
      bare: node.bare,
      tokens: kept,
      recipe: { params, system, model: isServed(model) ? model : c.model, from, at: all.length },
    }),
  );
}

export const stop = (node) => running.get(node.id)?.control.abort();

// stopByClick stops an answer, if the click, at a time, is not the second one on Send.
export function stopByClick(node, at) {
  if (at - running.get(node.id)?.begun > calm) stop(node);
}

// halt stops what is being written in a conversation, shown or not, and returns when it is kept.
export async function halt(chatID) {
  const own = [...running.values()].filter((r) => r.chatID === chatID);
  for (const r of own) r.control.abort();
  await Promise.all(own.map((r) => r.ended));
}

export const busy = (c) => tree.path(c).find((n) => live.value.has(n.id));

// foreign is the message of a chat that another tab is writing.
export const foreign = (c) => tree.path(c).find((n) => tabs.elsewhere.value.has(n.id));

const inAnotherTab = 'Another tab is writing this answer. Wait for its end, or stop it there.';

const tell = (node, state) => {
  const map = new Map(live.value);
  if (state) map.set(node.id, { ...map.get(node.id), ...state });
  else map.delete(node.id);
  live.value = map;
};

// run writes an answer. One that is there already is made ready by `prepare` before, once no other
// tab is writing it and what others have written is known.
async function run(c, node, prepare) {
  if (running.has(node.id)) return;
  const own = { control: new AbortController(), chatID: c.id, begun: performance.now() };
  own.ended = new Promise((done) => (own.end = done));
  running.set(node.id, own);
  if (!prepare) open(c, node, node.recipe.from ?? 0);
  const release = await tabs.hold(node.id);
  try {
    if (!release) return notice(inAnotherTab, { seconds: 8 });
    const ready = prepare ? await reopened(c, node, prepare) : node;
    if (ready) await write(c, ready, own.control.signal);
  } finally {
    await release?.();
    running.delete(node.id);
    own.end();
    tabs.look();
  }
}

// open has an answer be one that is being written, behind so many tokens.
function open(c, node, from) {
  delete node.error;
  delete node.finish;
  delete node.same;
  tell(node, { begun: performance.now(), n: 0, from });
  changed(c);
}

// reopened opens an answer that is there already, in the state in which tabs have left it.
async function reopened(c, { id }, prepare) {
  await latest(c.id);
  const now = fresh(c.id) ?? c,
    node = now.nodes[id];
  if (node.finish === 'stop' && !node.error) return null; // another tab has finished it
  await prepare(now, node);
  open(now, node, node.text ? node.tokens?.length || (node.written ?? 0) : 0);
  return node;
}

// write writes an answer until it ends, and says in the message how.
async function write(c, node, signal) {
  const now = () => fresh(c.id) ?? c;
  node.by = tabs.self;
  writePart(c.id, node);
  try {
    await attempts(now, node, signal);
  } catch (e) {
    if (signal.aborted) node.finish = 'stopped';
    else blame(node, e);
  }
  endPart(node);
  const state = { ...live.value.get(node.id), ended: performance.now() };
  count(node, state);
  compare(now(), node);
  tell(node, null);
  spoken.value = node.error
    ? node.error.message
    : `${unspoken(node)} ${node.finish === 'stopped' ? 'Stopped.' : 'The answer is complete.'}`;
  advanced(now(), node);
  if (node.finish === 'stopped' && state.n && !node.timings) countLate(now, node, state);
}

// countLate counts once the size of the prompt is asked for, if nobody has gone on with the answer.
async function countLate(now, node, state) {
  const progress = await prompted(state.sent).catch(() => null);
  if (!progress || running.has(node.id) || node.timings) return;
  count(node, { ...state, progress });
  advanced(now(), node);
}

// count writes down how many tokens an answer has and what it took, which the server says only at the end.
function count(node, { n, from, first, progress: p, timings, ended = performance.now() }) {
  if (timings) node.timings = timings;
  else if (n && p) {
    const predicted_per_second = n / Math.max(0.001, (ended - first) / 1000);
    node.timings = { cache_n: p.cache, prompt_n: p.total - p.cache, predicted_n: n, predicted_per_second };
  } else if (n) delete node.timings;
  if (n || timings) node.written = from + (timings?.predicted_n ?? n);
}

// prompted counts the tokens of a prompt of which the server did not say so: it knew all of them.
async function prompted({ messages, model, continue_tokens = [] }) {
  const total = (await tokensIn(messages, model)) + continue_tokens.length;
  return { total, cache: total };
}

// tokensIn asks how many tokens a model reads of messages.
export async function tokensIn(messages, model) {
  const system = messages.filter((m) => m.role === 'system').map((m) => m.content)[0];
  const body = {
    messages: messages.filter((m) => m.role !== 'system'),
    ...(system && { system }),
    ...(model && { model }),
  };
  return (await api.json('v1/messages/count_tokens', body)).input_tokens;
}

// attempts tries until the server has room.
async function attempts(now, node, signal) {
  for (;;) {
    try {
      return await stream(now, node, signal);
    } catch (e) {
      if (!e.again || signal.aborted) throw e;
      const seconds = Math.max(1, e.retry);
      for (let left = seconds; left > 0 && !signal.aborted; left--) {
        tell(node, { waiting: `${e.message} Trying again in ${left} s.` });
        await new Promise((done) => setTimeout(done, 1000));
      }
      tell(node, { waiting: '', begun: performance.now() });
    }
  }
}

// blame says what went wrong at the message and, if it is about a field, there.
function blame(node, e) {
  node.error = { message: e.message, kind: e.kind ?? e.code ?? '' };
  if (e.status === 401) node.error.kind = 'key';
  if (e.code === 'model_not_found') ask(); // another is offered, if it is still there
  const field = fieldOf(e);
  if (e.param && fields().includes(field)) {
    wrong.value = { ...wrong.value, [field]: e.message };
    panel.value = 'settings';
    setTimeout(() => document.getElementById('f-' + field)?.scrollIntoView({ block: 'center' }), 50);
  }
}

async function stream(now, node, signal) {
  const body = await request(now(), node);
  node.asked = printOf(body);
  tell(node, { sent: body });
  // Where tokens have cut a character only their bytes together make the text.
  const whole = node.text.endsWith('\ufffd') ? node.text.slice(0, node.bare ?? 0) : null;
  const r = await api.call('v1/chat/completions', body, signal);
  wrong.value = {};
  let timer = 0,
    wait = 50;
  const show = () => {
    const begun = performance.now();
    timer = 0;
    speak(node);
    tell(node, { now: begun });
    drawn(now(), node);
    // The page is drawn in a microtask, which comes before this one: a tenth of the time is for it.
    queueMicrotask(() => (wait = Math.min(2000, Math.max(50, 10 * (performance.now() - begun)))));
  };
  try {
    for await (const v of api.events(r)) {
      take(node, v);
      if (whole !== null && node.tokens) node.text = whole + textOf(node.tokens);
      timer ||= setTimeout(show, wait);
    }
  } finally {
    clearTimeout(timer);
  }
}

// take takes an event of a stream.
function take(node, v) {
  if (v.seed !== undefined) node.seed = String(v.seed);
  if (v.system_fingerprint) {
    node.print = v.system_fingerprint;
  }
  const state = live.value.get(node.id); // which is drawn with the rest
  const about = told.value.get(node.recipe.model);
  if (node.print && about?.props.system_fingerprint !== node.print && !state.asked) {
    state.asked = true;
    ask(); // the server was restarted with another model, or has loaded this one
  }
  if (v.prompt_progress) state.progress = v.prompt_progress;
  if (v.timings) state.timings = v.timings;
  const choice = v.choices?.[0];
  if (!choice) return;
  if (choice.delta.content) {
    node.text += choice.delta.content;
    state.n += choice.logprobs?.content?.length ?? 1;
    state.first ??= performance.now();
  }
  for (const t of choice.logprobs?.content ?? []) (node.tokens ??= []).push(compact(t));
  if (choice.finish_reason) node.finish = choice.finish_reason;
}

const odd = (t) => t.token.includes('\ufffd') || (!t.token.length && t.bytes?.length > 0);
const rounded = (p) => Math.round(p * 1e4) / 1e4 || 0; // not -0, which JSON does not keep

function compact(t) {
  const others = t.top_logprobs?.map((x) => [x.id, x.token, rounded(x.logprob), ...(odd(x) ? [x.bytes] : [])]);
  return [t.id, t.token, rounded(t.logprob), others, ...(odd(t) ? [t.bytes] : [])];
}

// printOf is a short word for what an answer depends on, besides its seed and where it is cut.
function printOf({ seed, max_tokens, ...body }) {
  let a = 0x811c9dc5,
    b = 0x9e3779b9;
  for (const c of JSON.stringify(body)) {
    a = Math.imul(a ^ c.codePointAt(0), 0x01000193);
    b = Math.imul(b ^ c.codePointAt(0), 0x85ebca6b) ^ (b >>> 13);
  }
  return [a, b].map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
}

// compare says whether an answer that was made again came out the same, if nothing that it
// depends on has changed, and both came to an end.
function compare(c, node) {
  const first = node.twin && c.nodes[node.twin];
  if (!first || node.error || first.error || node.asked !== first.asked || node.recipe.seed !== first.seed) return;
  if (!['stop', 'length'].includes(node.finish) || !['stop', 'length', 'stopped'].includes(first.finish)) return;
  const same =
    node.text === first.text || (first.finish === 'stopped' && !first.tokens && node.text.startsWith(first.text));
  // One of them may have had more room.
  const cut = node.finish === 'length' || first.finish !== 'stop';
  if (!same && cut && (node.text.startsWith(first.text) || first.text.startsWith(node.text))) return;
  node.elsewhere = node.print !== first.print;
  node.same = same;
}

// Screen readers hear whole sentences.
const said = new Map();

function speak(node) {
  const from = said.get(node.id) ?? 0;
  let end = from;
  for (const m of node.text.slice(from).matchAll(/[.!?…:]["”')]?\s|\n/g)) end = from + m.index + m[0].length;
  if (end > from) {
    spoken.value = node.text.slice(from, end);
    said.set(node.id, end);
  }
}

function unspoken(node) {
  const from = said.get(node.id) ?? 0;
  said.delete(node.id);
  return node.text.slice(from);
}
