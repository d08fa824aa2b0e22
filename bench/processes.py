"""A peer's workers as processes, and what they cost, as Linux tells in /proc.

Must not know what they do.
"""
import contextlib
import os
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _fields(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu(pids):
    """Seconds of processor time, user and system, of children that have ended as well."""
    found = [fields for fields in map(_fields, pids) if fields]
    return sum(int(fields[i]) for fields in found for i in (11, 12, 13, 14)) / TICKS


def memory(pids):
    """MiB: resident, and with shared pages counted by the share."""
    sums = {"Rss:": 0, "Pss:": 0}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                for line in file:
                    name, *rest = line.split()
                    if name in sums:
                        sums[name] += int(rest[0])
        except OSError:
            pass
    return {"rss_mib": round(sums["Rss:"] / 1024, 1), "pss_mib": round(sums["Pss:"] / 1024, 1)}


def machine_cpu():
    """Seconds of processor time that the whole machine has spent."""
    with open("/proc/stat") as file:
        spent = [int(value) for value in file.readline().split()[1:]]
    return (spent[0] + spent[1] + spent[2] + spent[5] + spent[6]) / TICKS


def wait_for_quiet_machine(limit=60, share=0.08):
    """Waits until others use little of the processors; says how much they do, in percent."""
    deadline = time.monotonic() + limit
    while True:
        before = machine_cpu()
        time.sleep(1)
        used = (machine_cpu() - before) / os.cpu_count()
        if used < share or time.monotonic() > deadline:
            return round(used * 100, 1)


class Workers:
    """Shell commands that run, each in a session of its own; `with` ends all of it."""

    def __init__(self, commands, folder, environment, log):
        self.processes = []
        with open(log, "ab") as out:
            for command in commands:
                self.processes.append(subprocess.Popen(
                    ["bash", "-c", "exec " + command], cwd=folder, env=environment,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True))

    def pids(self):
        """The processes of the sessions started here."""
        sessions = {process.pid for process in self.processes}
        pids = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            fields = _fields(name)
            if fields and int(fields[3]) in sessions and fields[0] not in "ZX":
                pids.append(int(name))
        return pids

    def check(self):
        if any(process.poll() is not None for process in self.processes):
            raise RuntimeError("a worker ended by itself; see its log")

    def wait_until_idle(self, limit=30):
        """Until they have used little CPU for a while."""
        begun, quiet, last = time.monotonic(), 0, None
        while quiet < 3 and time.monotonic() - begun < limit:
            time.sleep(0.25)
            self.check()
            now = cpu(self.pids())
            quiet = quiet + 1 if last is not None and now - last < 0.015 else 0
            last = now

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 4
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.05)
            for process in self.processes:
                process.poll()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()
