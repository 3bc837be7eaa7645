// The conversation that is shown, and the field where it goes on.
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { Composer } from './composer.jsx';
import { Message } from './message.jsx';
import { chat, live, props } from './state.js';
import { families, path, titleOf } from './tree.js';

export function Chat() {
  const c = chat.value,
    byParent = families(c),
    nodes = path(c, byParent),
    box = useRef(),
    near = useRef(true);
  useEffect(() => {
    near.current = true;
  }, [c.id]);
  useLayoutEffect(() => {
    if (near.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const onScroll = () => {
    const b = box.current;
    near.current = b.scrollHeight - b.scrollTop - b.clientHeight < 80;
  };
  return (
    <>
      <main class="scroll" ref={box} onScroll={onScroll} aria-label="Conversation" tabIndex={-1}>
        {nodes.length === 0 ? <Empty /> : <h1 class="hidden">{titleOf(c)}</h1>}
        {nodes.map((n, i) => {
          const sisters = byParent.get(n.parent);
          return (
            <Message
              key={n.id}
              chat={c}
              node={n}
              rev={n.rev}
              live={live.value.get(n.id)}
              last={i === nodes.length - 1}
              place={sisters.findIndex((x) => x.id === n.id)}
              sisters={sisters}
              title={c.id}
            />
          );
        })}
      </main>
      <Composer key={c.id} />
    </>
  );
}

function Empty() {
  const p = props.value;
  return (
    <div class="empty">
      <h1>{p ? p.model_alias : 'mptgo'}</h1>
      <p>
        Chats stay in this browser. The same question with the same seed gets the same answer, always:{' '}
        <em>Again, the same</em> shows it.
      </p>
    </div>
  );
}
