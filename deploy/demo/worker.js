// Runs "mpt run" for one prompt, away from the page, and sends what it writes.
importScripts("wasm_exec.js");

const decoder = { 1: new TextDecoder(), 2: new TextDecoder() };
let said = "";

// Go writes to standard output (1) and standard error (2) by this.
globalThis.fs.writeSync = (fd, bytes) => {
  const text = decoder[fd].decode(bytes, { stream: true });
  if (fd === 1) postMessage({ text });
  else said += text;
  return bytes.length;
};
globalThis.fs.write = (fd, bytes, offset, length, position, done) => {
  done(null, globalThis.fs.writeSync(fd, bytes.subarray(offset, offset + length)));
};

onmessage = async ({ data: prompt }) => {
  try {
    const go = new Go();
    go.argv = ["mpt", "run", "-n", "200", "-c", "512", "-p", prompt];
    let status = 0;
    go.exit = (code) => { status = code; };
    const { instance } = await WebAssembly.instantiateStreaming(fetch("mpt.wasm"), go.importObject);
    await go.run(instance);
    postMessage({ end: status === 0 ? "The end." : said });
  } catch (e) {
    postMessage({ end: "It failed: " + e.message });
  }
};
