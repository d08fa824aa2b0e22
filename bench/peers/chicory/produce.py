"""Chicory's part of the side-by-side run: produce.py worker | enqueue N | latency WARM SAMPLES | verify N

Starts the program that CHICORY names. Must not measure anything itself: `chicory bench` does.
"""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.dont_write_bytecode = True

from redis_server import Client  # noqa: E402

CHICORY, URL, WORK = os.environ["CHICORY"], os.environ["REDIS_URL"], os.environ["WORK"]
IDS, MODULES = os.path.join(WORK, "ids.txt"), os.path.join(WORK, "modules")
QUEUE, SAMPLE = "bench", 200


def worker():
    subprocess.run([CHICORY, "bench", "--export", MODULES], check=True)
    os.execv(CHICORY, [CHICORY, "--broker", URL, "--log-level", "ERROR", "worker", "--queue", QUEUE,
                       "--concurrency", "1024", "--modules", MODULES])


def bench(*arguments):
    """The medians that `chicory bench` measures."""
    out = subprocess.check_output([CHICORY, "--broker", URL, "--json", "bench", *arguments, "--runs", "1",
                                   "--queue", QUEUE], text=True)
    return {series["name"]: series["median"] for series in json.loads(out)["measures"]}


def enqueue(tasks):
    rate = bench("enqueue", "--tasks", str(tasks), "--ids", IDS)["enqueue"]
    return {"n": tasks, "seconds": tasks / rate}


def latency(_warm, samples):
    found = bench("latency", "--samples", str(samples))
    return {"p50_ms": found["latency_p50"], "p99_ms": found["latency_p99"]}


def verify(_tasks):
    with open(IDS) as file:
        ids = file.read().split()
    client, right = Client(int(os.environ["REDIS_PORT"])), 0
    sample = random.sample(range(len(ids)), min(SAMPLE, len(ids)))
    for number in sample:
        result = json.loads(client.command("GET", f"chicory:result:{ids[number]}") or "{}")
        right += result.get("state") == "SUCCESS" and result.get("result") == number + 1
    return {"checked": len(sample), "ok": right}


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    ways = {"worker": worker, "enqueue": enqueue, "latency": latency, "verify": verify}
    print(json.dumps(ways[what](*map(int, numbers))))
