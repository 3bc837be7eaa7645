// The server's API. All paths are relative to the page, which may lie under a prefix.
import { signal } from '@preact/signals';

export const needKey = signal(false); // whether the server asks for a key
export const wrongKey = signal(false); // whether it refused the one that it got
export const reachable = signal(true);

const keyName = 'mptgo.key';
const stores = () => [globalThis.sessionStorage, globalThis.localStorage];

function read() {
  try {
    return (
      stores()
        .map((s) => s.getItem(keyName))
        .find(Boolean) ?? ''
    );
  } catch {
    return '';
  }
}

// sendable reports whether a key can stand in a header: browsers take Latin-1 there, and nothing else.
export const sendable = (k) => /^[\x20-\x7e\xa0-\xff]*$/.test(k);

let key = '';
export const hasKey = signal(false);

// setKey takes a key, for this tab or for this browser; '' forgets the one that is kept.
export function setKey(k, keep) {
  key = k;
  hasKey.value = !!k;
  needKey.value = false;
  wrongKey.value = false;
  try {
    for (const s of stores()) s.removeItem(keyName);
    if (k) stores()[keep ? 1 : 0].setItem(keyName, k);
  } catch {
    /* where nothing may be kept it is asked for again */
  }
}

const kept = read();
if (!sendable(kept)) setKey('');
else [key, hasKey.value] = [kept, !!kept];

// Trouble is what went wrong, in words, and where.
export class Trouble extends Error {
  constructor(message, more) {
    super(message);
    Object.assign(this, more);
  }
}

export const gone = 'The server does not answer. Nothing is lost: try again when it runs.';

// call sends a request and returns its answer, or throws a Trouble.
export async function call(path, body, signal_) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let r;
  try {
    r = await fetch(new URL(path, document.baseURI), {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      signal: signal_,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
    });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    reachable.value = false;
    throw new Trouble(gone, { kind: 'gone' });
  }
  reachable.value = true;
  if (!r.ok) throw await troubleOf(r, headers.Authorization);
  return r;
}

export const json = async (path, body) => (await call(path, body)).json();

async function troubleOf(r, sent) {
  const text = await r.text().catch(() => '');
  let e = {};
  try {
    e = JSON.parse(text).error ?? {};
  } catch {
    /* not ours: a proxy's */
  }
  if (r.status === 401) {
    wrongKey.value = sent === `Bearer ${key}`;
    needKey.value = true;
  }
  return described(e, r.status, Number(r.headers.get('Retry-After')) || 0, r.statusText);
}

// described puts an error of the server into words.
export function described(e, status, retry, fallback) {
  const more = { status, code: e.code, param: e.param, retry };
  if (status === 401) return new Trouble('The server wants an API key.', more);
  if (e.code === 'context_length_exceeded') {
    return new Trouble(
      `This chat has ${e.n_prompt_tokens} tokens, and the context has room for ${e.n_ctx}. ` +
        'Edit an earlier message to be shorter, or begin a new chat.',
      more,
    );
  }
  if (status === 429) return new Trouble('The server is busy, and its queue is full.', { ...more, again: true });
  if (status === 503) {
    return new Trouble(
      e.code === 'loading'
        ? 'The server is loading its model.'
        : `The server does not take requests: ${e.message ?? fallback}.`,
      { ...more, again: true },
    );
  }
  const message = e.message ?? (fallback || `the status ${status}`);
  const name = e.param && message.startsWith(e.param); // which is written as it is
  return new Trouble(
    (name ? message[0] : message[0].toUpperCase()) + message.slice(1) + (/[.!?]$/.test(message) ? '' : '.'),
    more,
  );
}

// events yields the data of a stream; it throws if the stream ends without [DONE].
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (e) {
      if (e.name === 'AbortError') throw e;
      throw brokenOff();
    }
    if (part.done) throw brokenOff();
    const lines = (rest + part.value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue;
      if (line === 'data: [DONE]') return;
      const v = JSON.parse(line.slice(6));
      const seed = /"seed":(\d+)/.exec(line); // which may be larger than numbers of JavaScript
      if (seed) v.seed = seed[1];
      if (v.error) throw described(v.error, 0, 0);
      yield v;
    }
  }
}

const brokenOff = () =>
  new Trouble(
    'The connection broke off before the answer was finished; the server may have been restarted. ' +
      'What has come so far is kept.',
    { kind: 'cut' },
  );
