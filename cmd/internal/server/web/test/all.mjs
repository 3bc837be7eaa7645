// Tests of the page in a browser: node test/all.mjs MPT [NAME...]
// PAGE_SHOTS=FOLDER has pictures written there.
import assert from 'node:assert/strict';
import { launch, Proxy, serve, Visitor } from './stage.mjs';

const binary = process.argv[2],
  only = process.argv.slice(3);
const suites = await Promise.all(
  [
    'looks',
    'chat',
    'inside',
    'hostile',
    'costly',
    'trouble',
    'keeping',
    'tabs',
    'losing',
    'drafts',
    'focus',
    'served',
    'several',
  ].map((n) => import(`./${n}.mjs`)),
);

const queue = suites
  .flatMap(({ tests }) => Object.entries(tests))
  .filter(([name]) => !only.length || only.some((x) => name.includes(x)));

const server = await serve(binary, '-np', '8'),
  browser = await launch();
const again = []; // failed beside others
let failed = 0;

// lane runs tests, one after the other, on a proxy of its own.
async function lane(alone) {
  const proxy = new Proxy(server.port);
  await proxy.start();
  for (let next; (next = queue.shift());) {
    const [name, test] = next;
    proxy.reset();
    const begun = Date.now(),
      here = [];
    const come = async (options, url = proxy.url) => {
      const v = await Visitor.come(browser, url, options);
      here.push(v);
      return v;
    };
    try {
      await test({ come, proxy, binary });
      for (const v of here) {
        assert.deepEqual(v.errors, [], 'errors of the page');
        const away = v.requests.filter((u) => !/^(http:\/\/127\.0\.0\.1[:/]|data:|blob:|about:)/.test(u));
        assert.deepEqual(away, [], 'requests that leave the machine');
      }
      console.log(`ok   ${name} (${Date.now() - begun} ms)`);
    } catch (e) {
      if (alone) failed++;
      else again.push(next);
      console.log(
        `${alone ? 'FAIL' : 'once more, alone:'} ${name}\n${e.stack}\n${here
          .flatMap((v) => v.errors)
          .slice(0, 3)
          .join('\n')}`,
      );
    }
    for (const v of here) await v.leave().catch(() => {});
    if (!proxy.server.listening) await proxy.start(proxy.port);
  }
  await proxy.stop();
}

await Promise.all([lane(), lane(), lane()]); // what they do most is wait
queue.push(...again); // on a busy machine the time of a step can run out
await lane(true);
await browser.close();
server.end();
console.log(failed ? `${failed} failed` : 'all passed');
process.exit(failed ? 1 : 0);
