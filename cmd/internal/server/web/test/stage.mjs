// What the tests of the page stand on: mpt serve with its built-in model, a proxy before it
// that makes faults, and a browser.
import { spawn } from 'node:child_process';
import http from 'node:http';
import { chromium } from 'playwright-core';

const browserPath = process.env.CHROMIUM ?? '/usr/bin/chromium';

// serve starts mpt serve and returns its port and how to end it.
export function serve(binary, ...flags) {
  const p = spawn(binary, ['serve', '--port', '0', '-c', '1024', '--drain', '0', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Promise((done, failed) => {
    let log = '';
    p.stderr.on('data', (b) => {
      log += b;
      const port = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (port) done({ port, end: () => p.kill() });
    });
    p.on('exit', () => failed(new Error(log)));
  });
}

// Proxy hands requests on. With `fault` set it may answer itself: fault(req, res, body) returns
// true then. With `pause` it waits so many milliseconds before each event of a stream.
export class Proxy {
  constructor(port) {
    this.target = port;
    this.sockets = new Set();
    this.seen = [];
    this.reset();
  }

  reset() {
    this.fault = null;
    this.pause = 0;
    this.seen = [];
  }

  async start(port = 0) {
    this.server = http.createServer((req, res) => this.take(req, res));
    this.server.on('connection', (s) => {
      this.sockets.add(s);
      s.on('close', () => this.sockets.delete(s));
    });
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  // stop ends it with all connections, as a process does that is killed.
  async stop() {
    const closed = new Promise((done) => this.server.close(done));
    this.cut();
    await closed;
  }

  cut() {
    for (const s of this.sockets) s.destroy();
  }

  async take(req, res) {
    let body = '';
    for await (const part of req) body += part;
    this.seen.push({ path: req.url, headers: req.headers, body });
    if (this.fault?.(req, res, body)) return;
    const up = http.request(
      { port: this.target, method: req.method, path: req.url, headers: req.headers },
      async (answer) => {
        res.writeHead(answer.statusCode, answer.headers);
        try {
          for await (const part of answer) await this.pass(part, res, answer.headers['content-type']);
        } catch {
          /* one of the two has gone */
        }
        res.end();
      },
    );
    up.on('error', () => res.destroy());
    res.on('close', () => up.destroy());
    up.end(body);
  }

  async pass(part, res, kind = '') {
    if (!this.pause || !kind.includes('event-stream')) return res.write(part);
    for (const event of String(part).split(/(?<=\n\n)/)) {
      await new Promise((done) => setTimeout(done, this.pause));
      res.write(event);
    }
  }
}

// says returns a fault that answers every chat with a text, so many characters at a time.
export const says =
  (text, more, size = 40) =>
  (req, res) => {
    if (!req.url.endsWith('/v1/chat/completions')) return false;
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const chunk = (delta, end, rest) =>
      res.write(
        `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: end, logprobs: null }], ...rest })}\n\n`,
      );
    chunk({ role: 'assistant', content: '' }, null, { seed: 7 });
    for (let i = 0; i < text.length; i += size) chunk({ content: text.slice(i, i + size) }, null);
    chunk({}, 'stop', more);
    res.end('data: [DONE]\n\n');
    return true;
  };

// refuses returns a fault that answers a path with an error, `times` times.
export const refuses =
  (path, status, error, head = {}, times = Infinity) =>
  (req, res) => {
    if (!req.url.includes(path) || times-- <= 0) return false;
    res.writeHead(status, { 'Content-Type': 'application/json', ...head });
    res.end(JSON.stringify({ error }));
    return true;
  };

export const launch = () =>
  chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

// Visitor is a person with a browser of their own.
export class Visitor {
  static async come(browser, url, options = {}) {
    const v = new Visitor();
    v.url = url;
    v.context = await browser.newContext({ viewport: { width: 1100, height: 760 }, acceptDownloads: true, ...options });
    v.requests = [];
    v.errors = [];
    v.context.on('request', (r) => v.requests.push(r.url()));
    v.page = await v.context.newPage();
    v.watch();
    if (options.init) await v.context.addInitScript(options.init);
    await v.page.goto(url + '/');
    await v.page.waitForSelector('#draft');
    return v;
  }

  get draft() {
    return this.page.locator('#draft');
  }

  answers() {
    return this.page.locator('.message.model');
  }

  // said is the text of the last answer.
  said() {
    return this.answers().last().locator('.markdown').innerText();
  }

  button(name, where = this.page) {
    return where.getByRole('button', { name, exact: true });
  }

  // last is a button below the last answer.
  last(name) {
    return this.button(name, this.answers().last());
  }

  // retry tries a failed answer again, or continues one. That begins a moment after the click, when the browser has
  // told that no other tab writes in the chat.
  async retry(name = 'Try again') {
    const button = await this.last(name).elementHandle();
    await button.click();
    await this.page.waitForFunction((e) => !e.isConnected, button);
    await this.done();
  }

  async done() {
    await this.page.waitForSelector('.message.model[aria-busy=false] :is(.state, .failure)');
    await this.page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
  }

  async ask(text) {
    const before = await this.answers().count();
    await this.draft.fill(text);
    await this.draft.press('Enter');
    await this.page.waitForFunction((n) => document.querySelectorAll('.message.model').length > n, before);
    await this.done();
  }

  async settings() {
    if (!(await this.page.locator('.settings').count()))
      await this.button('Settings', this.page.locator('header')).click();
  }

  // stored reads what the browser keeps, with what is being written.
  stored() {
    return this.page.evaluate(
      () =>
        new Promise((done, failed) => {
          const open = indexedDB.open('mptgo');
          open.onerror = () => failed(open.error);
          open.onsuccess = () => {
            const t = open.result.transaction(['chats', 'parts']),
              chats = t.objectStore('chats').getAll(),
              parts = t.objectStore('parts').getAll();
            t.oncomplete = () => {
              open.result.close();
              for (const { chat, id, node } of parts.result) {
                const nodes = chats.result.find((c) => c.id === chat)?.nodes;
                if (nodes && !(nodes[id]?.rev > node.rev)) nodes[id] = node;
              }
              done(chats.result);
            };
          };
        }),
    );
  }

  // another opens a second tab of the same browser at an address.
  async another(url = this.page.url()) {
    const other = Object.assign(Object.create(Visitor.prototype), { ...this, page: await this.context.newPage() });
    other.watch();
    await other.page.goto(url);
    await other.page.waitForSelector('#draft');
    return other;
  }

  watch() {
    this.page.on('pageerror', (e) => this.errors.push(e.stack));
    this.page.on('dialog', (d) => {
      this.errors.push('a dialog: ' + d.message());
      d.dismiss();
    });
    this.page.setDefaultTimeout(30000);
  }

  // start asks, and returns while the answer is being written.
  async start(text, words = 3) {
    await this.draft.fill(text);
    await this.draft.press('Enter');
    await this.writing(words);
  }

  // writing waits until so many tokens of an answer have come.
  async writing(n) {
    await this.page.waitForFunction((n) => parseInt(document.querySelector('.writing')?.innerText) >= n, n);
  }

  // focus is what the element with the focus is called.
  focus() {
    return this.page.evaluate(() => {
      const e = document.activeElement;
      return e === document.body ? 'nothing' : e.getAttribute('aria-label') || e.innerText || e.id;
    });
  }

  leave() {
    return this.context.close();
  }
}
