# HTTP on loopback, a worker, a unix pipe, and a watched folder.
cat > main.js <<'JS'
const http = require("http"), net = require("net"), fs = require("fs");
const { Worker } = require("worker_threads");
const left = new Set(["http", "worker", "pipe", "watch"]);
const done = (what) => { left.delete(what); if (left.size === 0) process.exit(0); };
setTimeout(() => { console.error("left:", [...left]); process.exit(1); }, 10000);
const web = http.createServer((_, answer) => answer.end("x")).listen(0, "127.0.0.1", () =>
  http.get({ port: web.address().port, host: "127.0.0.1" }, () => done("http")));
new Worker("require('worker_threads').parentPort.postMessage(1)", { eval: true })
  .on("message", () => done("worker"));
const pipe = net.createServer((peer) => peer.end("x")).listen("pipe", () =>
  net.connect("pipe").on("data", () => done("pipe")));
fs.mkdirSync("watched");
fs.watch("watched", () => done("watch"));
setInterval(() => fs.writeFileSync("watched/file", "x"), 100);
JS
node main.js
