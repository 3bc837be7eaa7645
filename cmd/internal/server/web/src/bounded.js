// Bounds for Markdown: what a model writes may nest, or cost, without end. What is over a bound
// is shown as it is written.
import { Lexer } from 'marked';

export const mostText = 100_000; // characters of an answer
const deepest = 50; // of quotations, lists, emphasis and tags in each other
const mostInline = 10_000; // characters of a paragraph: what marked takes for it grows as their square
const mostMarks = 1000; // characters of a paragraph that may begin or end something
const mostColumns = 100; // of a table: its short rows are filled up to the first one's width
const mostTags = 10_000; // of a block
const mostCode = 20_000; // characters of code in colours
const longestLine = 1000; // of it

// The lexer of marked, which stops at the bounds.
class Bounded extends Lexer {
  depth = 0;

  blockTokens(text, tokens = [], clipped) {
    return this.nested(text, tokens, true, () => super.blockTokens(text, tokens, clipped));
  }

  inlineTokens(text, tokens = []) {
    const marks = () => text.match(/[*_~`<[\]!@]/g)?.length ?? 0;
    return this.nested(text, tokens, text.length <= mostInline && marks() <= mostMarks, () =>
      super.inlineTokens(text, tokens),
    );
  }

  nested(text, tokens, small, parse) {
    if (!small || this.depth >= deepest) {
      tokens.push({ type: 'text', raw: text, text, escaped: false });
      return tokens;
    }
    this.depth++;
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }
}

export const lexed = (text, options) => new Bounded(options).lex(text);

// wide reports whether a text begins with what may be the head of a table that is too wide.
export const wide = (text) => text.slice(0, text.indexOf('\n') >>> 0).split('|').length > mostColumns + 2;

// bulky reports whether HTML has too many tags, or too many in each other.
export function bulky(html) {
  let depth = 0,
    tags = 0;
  for (const [, end, name] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)/gi)) {
    if (/^(?:br|hr)$/i.test(name)) continue;
    depth += end ? -1 : 1;
    if (++tags > 2 * mostTags || depth > 5 * deepest) return true;
  }
  return false;
}

// colourful reports whether code is small enough for colours.
export const colourful = (code) => code.length <= mostCode && !code.split('\n').some((l) => l.length > longestLine);
