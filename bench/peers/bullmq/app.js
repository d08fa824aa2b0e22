// BullMQ in the side-by-side run.
// node app.js worker | enqueue N | latency WARM SAMPLES | verify N
// The packages live in the cache folder, not here.
const { createRequire } = require("node:module");
const path = require("node:path"), fs = require("node:fs");
const req = createRequire(path.join(process.env.PEER_CACHE, "x.js"));
const { Queue, Worker, QueueEvents } = req("bullmq");
const IORedis = req("ioredis");
const connect = () => new (IORedis.default || IORedis)(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const emit = (o) => console.log(JSON.stringify(o));
const ids = () => path.join(process.env.WORK, "ids.txt");

async function main() {
  const [what, ...rest] = process.argv.slice(2);
  const a = rest.map(Number);
  if (what === "worker") {
    const w = new Worker("bench", async (job) => job.data.a + job.data.b,
      { connection: connect(), concurrency: Number(process.env.BULL_C || 32) });
    w.on("error", (e) => console.error(e));
    process.on("SIGTERM", async () => { await w.close(); process.exit(0); });
    return;
  }
  const q = new Queue("bench", { connection: connect() });
  await q.waitUntilReady();
  if (what === "enqueue") {
    const n = a[0], out = [];
    const t = process.hrtime.bigint();
    for (let s = 0; s < n; s += 1000) {
      const batch = [];
      for (let i = s; i < Math.min(n, s + 1000); i++) batch.push({ name: "add", data: { a: i, b: 1 } });
      for (const j of await q.addBulk(batch)) out.push(j.id);
    }
    const seconds = Number(process.hrtime.bigint() - t) / 1e9;
    fs.writeFileSync(ids(), out.join("\n"));
    emit({ n: out.length, seconds });
  } else if (what === "latency") {
    const ev = new QueueEvents("bench", { connection: connect() });
    await ev.waitUntilReady();
    const ms = []; let wrong = 0;
    for (let i = 0; i < a[0] + a[1]; i++) {
      const t = process.hrtime.bigint();
      const job = await q.add("add", { a: i, b: 1 });
      const v = await job.waitUntilFinished(ev, 60000);
      ms.push(Number(process.hrtime.bigint() - t) / 1e6);
      if (v !== i + 1) wrong++;
    }
    emit({ ms: ms.slice(a[0]), wrong });
  } else {
    const all = fs.readFileSync(ids(), "utf8").split("\n");
    let ok = 0;
    for (let k = 0; k < 200; k++) {
      const i = Math.floor(Math.random() * all.length);
      const j = await q.getJob(all[i]);
      if (j && j.returnvalue === i + 1) ok++;
    }
    emit({ checked: 200, ok });
  }
  process.exit(0);
}
main().catch((e) => { console.error(e); process.exit(1); });
