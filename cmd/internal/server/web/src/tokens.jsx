// Inside an answer: its tokens, how likely they were, and what else might have come.
import { useState } from 'preact/hooks';
import { branch, busy } from './generate.js';
import { chat } from './state.js';

const percent = (p) => {
  const x = Math.exp(p) * 100;
  return x >= 10 ? x.toFixed(0) + ' %' : x >= 0.1 ? x.toFixed(1) + ' %' : '< 0.1 %';
};

// grade is 0 for what was sure, up to 4 for what was a surprise.
const grade = (p) => {
  const i = [0.9, 0.6, 0.3, 0.1].findIndex((x) => Math.exp(p) >= x);
  return i < 0 ? 4 : i;
};

const visible = (text) =>
  text === '' ? 'no text' : text.replace(/\n/g, '↵').replace(/ /g, '␣').replace(/\t/g, '⇥');

export function Tokens({ node }) {
  const [at, move] = useState(-1);
  const tokens = node.tokens.map((t, i) => ({ t, i })).filter(({ t }) => t[1] !== '' || t[4]?.length);
  const key = (e, i) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tokens.length - 1 }[e.key];
    if (e.key === 'Escape' && at >= 0) {
      e.preventDefault();
      move(-1);
    }
    if (to === undefined || !tokens[to]) return;
    e.preventDefault();
    move(to);
    e.currentTarget.closest('.tokens').querySelectorAll('.token > .word')[to].focus();
  };
  return (
    <div>
      <p class="quiet">
        The stronger its colour, the less likely was a token. Point at one, or go there with the arrow keys; choose an
        alternative, and the answer goes on from it.
      </p>
      <div class="tokens" role="group" aria-label="Tokens of the answer" onMouseLeave={() => move(-1)}>
        {node.text.slice(0, node.bare ?? 0)}
        {tokens.map(({ t, i: index }, i) => (
          <span class="token" key={i} onMouseEnter={() => move(i)}>
            <span
              role="button"
              class={'word p' + grade(t[2])}
              tabIndex={i === Math.max(at, 0) ? 0 : -1}
              onFocus={() => move(i)}
              onKeyDown={(e) => key(e, i)}
              aria-expanded={at === i}
              aria-label={`${visible(t[1])}, ${percent(t[2])}`}
            >
              {t[1].replace(/\n/g, '↵')}
            </span>
            {t[1].includes('\n') && '\n'}
            {at === i && <Others node={node} i={index} token={t} />}
          </span>
        ))}
      </div>
    </div>
  );
}

function Others({ node, i, token }) {
  const others = token[3] ?? [];
  const side = (box) =>
    box?.classList.toggle('left', box.parentElement.offsetLeft > box.offsetParent?.closest('.tokens')?.clientWidth / 2);
  return (
    <span class="others" role="group" aria-label={`Instead of ${visible(token[1])}`} ref={side}>
      {others.map((o) => (
        <button
          type="button"
          key={o[0]}
          disabled={o[0] === token[0] || o[1] === ''}
          onClick={() => !busy(chat.value) && branch(chat.value, node, i, o)}
        >
          <code>{visible(o[1])}</code>{' '}
          <span>
            {percent(o[2])}
            {o[0] === token[0] && ' ✓'}
          </span>
        </button>
      ))}
      {!others.some((o) => o[0] === token[0]) && (
        <span class="quiet">
          chosen: {visible(token[1])}, {percent(token[2])}
        </span>
      )}
    </span>
  );
}
