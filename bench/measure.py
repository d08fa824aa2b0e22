"""One run of one peer: enqueue, drain and latency, each on a fresh redis-server.

Must not know the peers: what differs among them is in their folders.
"""
import json
import os
import subprocess
import time

from processes import Workers, cpu, memory
from redis_server import Client, Server

LOOK = 0.01  # seconds between two looks at the count
DRAIN_LIMIT = 120  # seconds
IDLE = 2  # seconds in which an idle worker's commands are counted


class Peer:
    """A peer's folder, where it is installed, and a folder for this run's files."""

    def __init__(self, folder, cache, work):
        self.folder, self.cache, self.work = folder, cache, work
        with open(os.path.join(folder, "peer.json")) as file:
            self.spec = json.load(file)
        self.log = os.path.join(work, "worker.log")

    def environment(self, server):
        url = f"redis://127.0.0.1:{server.port}/0"
        return dict(os.environ, RUST_BACKTRACE="0", PYTHONDONTWRITEBYTECODE="1", REDIS_HOST="127.0.0.1",
                    REDIS_PORT=str(server.port), REDIS_URL=url, PEER_CACHE=self.cache, WORK=self.work,
                    **self.spec.get("env", {}))

    def workers(self, server):
        return Workers(self.spec["workers"], self.folder, self.environment(server), self.log)

    def produce(self, server, what, *arguments):
        """Runs a producer to its end; the JSON object that it prints."""
        command = " ".join([self.spec[what], *map(str, arguments)])
        done = subprocess.run(["bash", "-c", "exec " + command], cwd=self.folder, env=self.environment(server),
                              check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, text=True)
        if done.returncode:
            raise RuntimeError(f"{what} failed: {(done.stdout + done.stderr)[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def done(self, client, tasks):
        """How many tasks the peer's own records say are done."""
        count = self.spec["count"]
        reply = client.command(*count["cmd"])
        if count.get("mode") == "sum_n":  # a hash of totals per process: n<pid>
            return sum(int(v) for k, v in zip(reply[::2], reply[1::2]) if k.startswith(b"n"))
        return tasks - int(reply) if count.get("mode") == "remaining" else int(reply or 0)


def measure(peer, options):
    """All measures of a peer, once: a dictionary by measure."""
    if "direct" in peer.spec:
        return _direct(peer, options)
    tasks = options.tasks or peer.spec["n"]
    found = {}
    with Server(options.persistence) as server:
        found["enqueue"], found["drain"] = _throughput(peer, server, tasks)
    with Server(options.persistence) as server:
        found["latency"], found["idle"] = _latency(peer, server, options.samples)
    return found


def _direct(peer, options):
    """A program that talks to Redis itself and prints its figures."""
    found = {}
    for name, command in peer.spec["direct"].items():
        tasks = options.samples if name == "latency" else options.tasks or peer.spec["n"]
        with Server(options.persistence) as server:
            peer.spec[name] = command
            found[name] = peer.produce(server, name, tasks)
    return found


def _throughput(peer, server, tasks):
    sent = peer.produce(server, "enqueue", tasks)
    if sent["n"] != tasks:
        raise RuntimeError(f"enqueue sent {sent['n']} of {tasks}")
    time.sleep(1.2)  # an append-only file is synced by then
    client, info = Client(server.port, peer.spec["count"].get("db", 0)), Client(server.port)
    if peer.done(client, tasks):
        raise RuntimeError("some tasks are done before the workers have started")
    with peer.workers(server) as workers:
        drain = _drain(peer, tasks, workers, _Spent(server, info, workers), client)
        time.sleep(0.5)
        if peer.done(client, tasks) != tasks:
            raise RuntimeError("the count of tasks done has changed after the drain")
        drain["checked"] = _verify(peer, server, tasks)
    client.close()
    info.close()
    return {"tasks_per_s": round(tasks / sent["seconds"], 1)}, drain


class _Spent:
    """What workers and server have spent so far."""

    def __init__(self, server, info, workers):
        self.server, self.info, self.workers = server, info, workers

    def look(self):
        return cpu(self.workers.pids()), cpu([self.server.process.pid]), self.info.commands_so_far()


def _drain(peer, tasks, workers, spent, client):
    """From the first completion seen to the last."""
    first, looks, deadline = None, 0, time.monotonic() + DRAIN_LIMIT
    while True:
        done, now = peer.done(client, tasks), time.monotonic()
        looks += 1
        if done and first is None:
            first, looks, before = (now, done), 0, spent.look()
        if done >= tasks:
            break
        workers.check()
        if now > deadline:
            raise RuntimeError(f"{done} of {tasks} tasks are done after {DRAIN_LIMIT} s")
        time.sleep(LOOK)
    after, (begun, seen) = spent.look(), first
    if seen >= tasks:
        raise RuntimeError("all tasks were done at the first look; use more --tasks")
    counted = tasks - seen
    return {"tasks_per_s": round(counted / (now - begun), 1),
            "worker_cpu_us": round((after[0] - before[0]) / counted * 1e6, 1),
            "redis_cpu_us": round((after[1] - before[1]) / counted * 1e6, 1),
            "redis_commands": round((after[2] - before[2] - looks - 1) / counted, 2),
            **memory(workers.pids())}


def _verify(peer, server, tasks):
    verified = peer.produce(server, "verify", tasks)
    if verified["ok"] != verified["checked"]:
        raise RuntimeError(f"of {verified['checked']} results, {verified['ok']} are right")
    return verified["checked"]


def _latency(peer, server, samples):
    with peer.workers(server) as workers:
        workers.wait_until_idle()
        client = Client(server.port)
        commands, spent = client.commands_so_far(), cpu(workers.pids())
        time.sleep(IDLE)
        idle = {"redis_commands_per_s": (client.commands_so_far() - commands - 1) / IDLE,
                "cpu_percent": round((cpu(workers.pids()) - spent) / IDLE * 100, 1),
                **memory(workers.pids())}
        client.close()
        told = peer.produce(server, "latency", 30, samples)
        if told.get("wrong"):
            raise RuntimeError(f"{told['wrong']} results are wrong")
        if "ms" in told:
            times = sorted(told["ms"])
            told = {"p50_ms": times[len(times) // 2], "p99_ms": times[int((len(times) - 1) * 0.99)]}
        return {name: round(told[name], 3) for name in ("p50_ms", "p99_ms")}, idle
