// Markdown: marked, then DOMPurify, then the page.
import { Component, createRef } from 'preact';
import { Marked } from 'marked';
import { bulky, colourful, lexed, mostText, wide } from './bounded.js';
import { pure } from './purify.js';

const escaped = (s) => s.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

// Tags that models write into Markdown, without attributes. Others are shown as they are
// written: a person who asks about HTML wants to see it.
const plain = /^(?:<\/?(?:b|br|del|details|em|i|kbd|mark|s|small|strong|sub|summary|sup|u)\s*\/?>\s*)+$/i;

const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }) => (plain.test(text) ? text : escaped(text)),
    // Pictures come from elsewhere: a link, which nobody has to follow.
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)} (picture)</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  tokenizer: { table: (text) => (wide(text) ? undefined : false) }, // false: as marked has it
});

let colours; // the module that highlights, once it is asked for

const tooSlow = 1000, // milliseconds after which a text is not drawn again
  slow = 200; // and after which it is not drawn while it is being written

// Markdown shows a text. Blocks that have not changed stay as they are: selections, too.
export class Markdown extends Component {
  cost = 0; // of the last time that it was drawn
  worst = 0;

  shouldComponentUpdate(next) {
    return next.text !== this.props.text || next.live !== this.props.live;
  }

  // spend is told what parts of drawing have cost.
  spend = (ms) => {
    this.cost += ms;
    this.worst = Math.max(this.worst, this.cost);
  };

  render({ text, live }) {
    if (text.length > mostText) return <AsWritten text={text} why="it is very long" />;
    if (this.worst > tooSlow) return <AsWritten text={text} why="drawing it takes too long" />;
    if (live && this.worst > slow) return <AsWritten text={text} why="drawing it takes long; it follows at the end" />;
    this.cost = 0;
    const begun = performance.now(),
      tokens = lexed(text, marked.defaults);
    this.spend(performance.now() - begun);
    return (
      <div class="markdown">
        {tokens.map((t, i) => t.type !== 'space' && <Block key={i} token={t} spend={this.spend} />)}
      </div>
    );
  }
}

// AsWritten shows a text that is not drawn as Markdown.
export const AsWritten = ({ text, why }) => (
  <>
    <div class="markdown written">{text}</div>
    <p class="quiet">This is shown as it was written: {why}.</p>
  </>
);

class Block extends Component {
  box = createRef();

  shouldComponentUpdate(next) {
    return next.token.raw !== this.props.token.raw;
  }

  componentDidMount() {
    this.fill();
  }

  componentDidUpdate() {
    this.fill();
  }

  fill() {
    const begun = performance.now(),
      { token, spend } = this.props,
      html = marked.parser([token]);
    if (bulky(html)) return (this.box.current.textContent = token.raw);
    const fragment = pure(html);
    for (const pre of fragment.querySelectorAll('pre')) dress(pre, spend);
    for (const table of fragment.querySelectorAll('table')) {
      const box = document.createElement('div');
      box.className = 'wide';
      box.tabIndex = 0;
      box.setAttribute('role', 'group');
      box.setAttribute('aria-label', 'Table');
      table.replaceWith(box);
      box.append(table);
    }
    this.box.current.replaceChildren(fragment);
    spend(performance.now() - begun);
  }

  render() {
    return <div ref={this.box} />;
  }
}

// dress gives a block of code a head with its language and a button, and colours.
function dress(pre, spend) {
  const code = pre.querySelector('code') ?? pre;
  const language = /language-([\w#+.-]+)/.exec(code.className)?.[1] ?? '';
  const box = document.createElement('div'),
    head = document.createElement('div'),
    copy = document.createElement('button');
  box.className = 'code';
  head.className = 'code-head';
  copy.type = 'button';
  copy.textContent = 'Copy';
  copy.setAttribute('aria-label', language ? `Copy the ${language} code` : 'Copy the code');
  copy.onclick = () => copyText(code.textContent.replace(/\n$/, ''), copy);
  head.append(Object.assign(document.createElement('span'), { textContent: language || 'text' }), copy);
  pre.replaceWith(box);
  pre.tabIndex = 0;
  pre.setAttribute('role', 'group');
  pre.setAttribute('aria-label', 'Code');
  box.append(head, pre);
  if (language && colourful(code.textContent)) colour(code, language, spend);
}

async function colour(code, language, spend) {
  colours ??= import('./highlight.js').catch(() => ({ highlighted: () => '' })); // the server is gone, or is another
  const { highlighted } = await colours;
  const begun = performance.now();
  const html = highlighted(code.textContent, language);
  if (html) code.replaceChildren(pure(html));
  spend(performance.now() - begun);
}

// copyText copies, and says so on the button.
export async function copyText(text, button) {
  const was = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = copyOld(text) ? 'Copied' : 'Not allowed';
  }
  setTimeout(() => (button.textContent = was), 1500);
}

// copyOld is for pages that do not come from this machine or by https, which have no clipboard.
function copyOld(text) {
  const area = Object.assign(document.createElement('textarea'), { value: text, className: 'hidden' });
  document.body.append(area);
  area.select();
  const ok = document.execCommand('copy');
  area.remove();
  return ok;
}
