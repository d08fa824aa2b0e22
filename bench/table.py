"""Medians, spread and ratios of all rounds, as a table for people.

Must not know how anything was measured.
"""
import statistics

COLUMNS = [
    ("drain/s", "drain", "tasks_per_s"),
    ("enqueue/s", "enqueue", "tasks_per_s"),
    ("latency p50 ms", "latency", "p50_ms"),
    ("p99 ms", "latency", "p99_ms"),
    ("worker CPU µs/task", "drain", "worker_cpu_us"),
    ("Redis CPU µs/task", "drain", "redis_cpu_us"),
    ("Redis commands/task", "drain", "redis_commands"),
    ("loaded PSS MiB", "drain", "pss_mib"),
    ("idle PSS MiB", "idle", "pss_mib"),
    ("idle Redis commands/s", "idle", "redis_commands_per_s"),
]
RATIOS = COLUMNS[:4]


def summary(rounds):
    """For each peer, measure and figure: median, least and most over the rounds."""
    found = {}
    for peer in dict.fromkeys(name for one in rounds for name in one):
        runs = [one[peer] for one in rounds if peer in one]
        for _, measure, figure in COLUMNS:
            values = [run[measure][figure] for run in runs if figure in run.get(measure, {})]
            if values:
                figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
                found.setdefault(peer, {}).setdefault(measure, {})[figure] = figures
    return found


def ratios(summed, subject="chicory"):
    """The subject's median divided by each peer's."""
    own = summed.get(subject, {})
    return {peer: {f"{measure}.{figure}": round(own[measure][figure]["median"] / m[measure][figure]["median"], 2)
                   for _, measure, figure in RATIOS
                   if figure in m.get(measure, {}) and figure in own.get(measure, {})}
            for peer, m in summed.items() if peer != subject}


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _cell(found):
    if found is None:
        return "–"
    text = _number(found["median"])
    spread = f" ({_number(found['min'])}–{_number(found['max'])})"
    return text + (spread if found["min"] != found["max"] else "")


def markdown(summed):
    """Both tables: the fastest drain first."""
    order = sorted(summed, key=lambda p: -summed[p].get("drain", {}).get("tasks_per_s", {}).get("median", 0))
    rows = [["", *(title for title, _, _ in COLUMNS)]]
    rows += [[peer, *(_cell(summed[peer].get(m, {}).get(f)) for _, m, f in COLUMNS)] for peer in order]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    compared = ratios(summed)
    if compared and "chicory" in summed:
        lines += ["", "chicory / peer (more is better for drain and enqueue, less for latency):", ""]
        lines += ["| | " + " | ".join(title for title, _, _ in RATIOS) + " |", "|---" * 5 + "|"]
        for peer in (p for p in order if p != "chicory"):
            cells = [compared[peer].get(f"{m}.{f}") for _, m, f in RATIOS]
            lines.append(f"| {peer} | " + " | ".join("–" if c is None else f"{c:.2f}" for c in cells) + " |")
    return "\n".join(lines)
