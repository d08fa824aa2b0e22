// Bee-Queue in the side-by-side run; the packages live in the cache folder.
// node app.js worker | enqueue N | latency WARM SAMPLES | verify N
const { createRequire } = require("node:module");
const path = require("node:path"), fs = require("node:fs");
const req = createRequire(path.join(process.env.PEER_CACHE, "x.js"));
const Queue = req("bee-queue");
const redis = { host: process.env.REDIS_HOST, port: Number(process.env.REDIS_PORT) };
const emit = (o) => console.log(JSON.stringify(o));
const ids = () => path.join(process.env.WORK, "ids.txt");

async function main() {
  const [what, ...rest] = process.argv.slice(2);
  const a = rest.map(Number);
  if (what === "worker") {
    const w = new Queue("bench", { redis, isWorker: true, getEvents: false, sendEvents: true });
    w.process(Number(process.env.BEE_C || 32), async (job) => job.data.a + job.data.b);
    process.on("SIGTERM", () => w.close(2000).then(() => process.exit(0), () => process.exit(0)));
    return;
  }
  const q = new Queue("bench", { redis, isWorker: false, getEvents: what === "latency", storeJobs: false });
  await q.ready();
  if (what === "enqueue") {
    const n = a[0], out = [];
    const t = process.hrtime.bigint();
    for (let s = 0; s < n; s += 1000) {
      const batch = [];
      for (let i = s; i < Math.min(n, s + 1000); i++) batch.push(q.createJob({ a: i, b: 1 }));
      const errors = await q.saveAll(batch);
      if (errors.size) throw new Error("saveAll failed");
      for (const j of batch) out.push(j.id);
    }
    const seconds = Number(process.hrtime.bigint() - t) / 1e9;
    fs.writeFileSync(ids(), out.join("\n"));
    emit({ n: out.length, seconds });
  } else if (what === "latency") {
    // Queue-level events matched by id: a job's own 'succeeded' event gets lost when the job finishes
    // before save() has returned its id.
    const results = new Map(), waiters = new Map();
    q.on("job succeeded", (id, v) => { const w = waiters.get(id); if (w) { waiters.delete(id); w(v); } else results.set(id, v); });
    const ms = []; let wrong = 0;
    for (let i = 0; i < a[0] + a[1]; i++) {
      const t = process.hrtime.bigint();
      const { id } = await q.createJob({ a: i, b: 1 }).save();
      const v = results.has(id) ? results.get(id) : await new Promise((ok) => waiters.set(id, ok));
      results.delete(id);
      ms.push(Number(process.hrtime.bigint() - t) / 1e6);
      if (v !== i + 1) wrong++;
    }
    emit({ ms: ms.slice(a[0]), wrong });
  } else {
    // bee-queue keeps the state, not the value, of a finished job: check the state
    const all = fs.readFileSync(ids(), "utf8").split("\n");
    let ok = 0;
    for (let k = 0; k < 200; k++) {
      const i = Math.floor(Math.random() * all.length);
      const j = await q.getJob(all[i]);
      if (j && j.status === "succeeded" && j.data.a === i) ok++;
    }
    emit({ checked: 200, ok });
  }
  process.exit(0);
}
main().catch((e) => { console.error(e); process.exit(1); });
