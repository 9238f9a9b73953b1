"""The results of a run as a Markdown table, a plot and a summary: `python report.py results.jsonl` writes them anew beside it.
"""
import json
import math
import os
import statistics

EQUAL = 1.03   # differences below mean nothing
NAMES = {"torch": "PyTorch", "torch_compile": "torch.compile", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "iree": "IREE",
         "jax": "JAX"}


def lost(row):
    return row.get("ratio") is not None and row["ratio"] < 1 / EQUAL


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def write(path, found):
    """A line of JSON per machine figure and per row."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w") as f:
        f.writelines(json.dumps(rounded(row)) + "\n" for row in found)
    os.replace(path + ".new", path)


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


def read(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def compared(found, threads=None):
    return [r for r in found if r.get("ratio") is not None and threads in (None, r["threads"])]


def thread_counts(found):
    return sorted({r["threads"] for r in found if "workload" in r})


def summary(found):
    lines = []
    for threads in thread_counts(found):
        these = compared(found, threads)
        failed = [r["workload"] for r in found if r.get("threads") == threads and "workload" in r and "ours_ms" not in r]
        losing = [f"{r['workload']} {r['ratio']:.2f}" for r in sorted(these, key=lambda r: r["ratio"]) if lost(r)]
        lines.append(f"{threads} thread{'s' if threads > 1 else ''}: {len(these)} rows, geometric mean of the ratios "
                     f"{geometric_mean([r['ratio'] for r in these]):.2f}; lost: {', '.join(losing) or 'none'}"
                     + (f"; failed: {', '.join(failed)}" if failed else ""))
    return "\n".join(lines)


def share(row, machines):
    """Of the peak of multiply-adds, or of bf16 tiles."""
    machine = next((m for m in machines if m["threads"] == row["threads"]), None)
    peak = machine and machine["amx_bf16_gflops" if row["workload"].endswith("_bf16") else "fma_gflops"]
    if row.get("mib"):
        return ""
    return f"{100 * row['gflops'] / peak:.0f} %" if peak and row.get("gflops") else ""


def milliseconds(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def table(found):
    machines = [r for r in found if "machine" in r]
    peers = [p for p in NAMES if any(p in r.get("peers_ms", {}) for r in found)]
    lines = ["| work | threads | ours ms | " + " | ".join(NAMES[p] for p in peers) + " | ratio | spread | share of peak | error | compiled in s |",
             "|---|---:|---:|" + "---:|" * (len(peers) + 5)]
    for row in found:
        if "workload" not in row:
            continue
        if "ours_ms" not in row:
            lines.append(f"| {row['workload']} | {row['threads']} | failed |" + " |" * (len(peers) + 5))
            continue
        cells = []
        for p in peers:
            value = row["peers_ms"].get(p)
            text = "failed" if p in row["failed"] else milliseconds(value) if value is not None else ""
            cells.append(f"**{text}**" if p == row["peer"] else text)
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}" + (" (lost)" if lost(row) else "")
        lines.append(f"| {row['workload']} | {row['threads']} | {milliseconds(row['ours_ms'])} | " + " | ".join(cells)
                     + f" | {ratio} | {row['spread']:.2f} | {share(row, machines)} | {row['error']:.0e} | "
                     + (f"{row['build_s']:.1f} |" if row.get("build_s") else "|"))
    return "\n".join(lines)


def failures(found):
    lines = [f"- {r['workload']}, {r['threads']}: {'ours' if name == 'nacre' else NAMES[name]}: {why}"
             for r in found if "workload" in r for name, why in r["failed"].items()]
    return "\n".join(lines)


def memory(found):
    started = [r for r in found if r.get("mib")]
    names = ["nacre"] + [p for p in NAMES if any(p in r["mib"] for r in started)]
    lines = ["| process, until its first answer | " + " | ".join(NAMES.get(n, "ours") for n in names) + " |", "|---|" + "---:|" * len(names)]
    for row in started:
        lines.append(f"| {row['workload']} | " + " | ".join(f"{row['mib'][n]:.0f}" if n in row["mib"] else "" for n in names) + " |")
    return "\nPeak of resident memory, MiB:\n\n" + "\n".join(lines) + "\n" if started else ""


def markdown(folder, found):
    """`results.md` and `results.svg` in `folder`."""
    import machine
    os.makedirs(folder, exist_ok=True)
    peaks = "\n".join("- " + machine.describe(r) for r in found if "machine" in r)
    failed = failures(found)
    run = next(r for r in found if "run" in r)
    others = statistics.median([r["others"] for r in found if "others" in r] or [0])
    versions = ", ".join(f"{NAMES[name]} {version}" for name, version in run["versions"].items())
    text = f"""# Measured beside the peers

One run of `make bench`, {run['run']}, commit {run['commit']}: {run['figure']} of {run['rounds']} turns in milliseconds, the best peer in bold.
{versions}.
The ratio is the best peer's time over ours: above 1 we are faster; below {1 / EQUAL:.2f} a row counts as lost. `spread` is the larger
interquartile range of the two over the median; `error` is ours against f64. Meanwhile processes outside the run kept {others:.1f}
cores busy.

{peaks}

{summary(found)}

![ratios](results.svg)

{table(found)}
""" + memory(found) + (f"\nLeft out:\n\n{failed}\n" if failed else "")
    with open(os.path.join(folder, "results.md"), "w") as f:
        f.write(text)
    with open(os.path.join(folder, "results.svg"), "w") as f:
        f.write(plot(found))


# ---- the plot: a line per row, a mark per thread count, the ratio on a logarithmic axis --------------------------------
LEFT, WIDTH, LINE, TOP = 235, 820, 17, 58
COLOURS = "#2a78d6", "#d9822b", "#7a52b3", "#2f8f5b"
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #333 } .grid { stroke: #999; stroke-opacity: .3 } .one { stroke: #555; stroke-width: 1.5 }
.lost { font-weight: 600; fill: #b3261e } .paper { fill: #fff } .band { fill: #999; fill-opacity: .1 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .one { stroke: #bbb } .lost { fill: #ff8a80 } .paper { fill: #0d1117 } }
</style>"""


def plot(found):
    rows = compared(found)
    if not rows:
        return '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'
    names = list(dict.fromkeys(r["workload"] for r in rows))
    threads = thread_counts(rows)
    low, high = min(0.5, min(r["ratio"] for r in rows)) / 1.1, max(2.0, max(r["ratio"] for r in rows)) * 1.1
    bottom = TOP + LINE * len(names)

    def x(ratio):
        return LEFT + (WIDTH - LEFT - 20) * math.log(ratio / low) / math.log(high / low)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 30}" width="{WIDTH}" height="{bottom + 30}">',
             STYLE, f'<rect class="paper" width="{WIDTH}" height="{bottom + 30}"/>',
             f'<text x="{LEFT}" y="20">best peer\'s time over ours: right of 1 we are faster; red: a row that is lost</text>']
    for i, count in enumerate(threads):
        mean = geometric_mean([r["ratio"] for r in compared(found, count)])
        at = LEFT + 210 * i
        parts.append(f'<circle cx="{at + 5}" cy="36" r="4.5" fill="{COLOURS[i % len(COLOURS)]}"/>'
                     f'<text x="{at + 15}" y="40">{count} thread{"s" if count > 1 else ""}, geometric mean {mean:.2f}</text>')
    parts.append(f'<rect class="band" x="{x(1 / EQUAL):.1f}" y="{TOP}" width="{x(EQUAL) - x(1 / EQUAL):.1f}" height="{bottom - TOP}"/>')
    for tick in (0.1, 0.2, 0.25, 0.33, 0.5, 0.7, 1, 1.4, 2, 3, 4, 6, 8, 12, 16):
        if low < tick < high:
            parts.append(f'<line class="{"one" if tick == 1 else "grid"}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}"/>'
                         f'<text x="{x(tick):.1f}" y="{bottom + 17}" text-anchor="middle">{tick:g}</text>')
    for i, name in enumerate(names):
        middle = TOP + LINE * i + LINE / 2
        these = [r for r in rows if r["workload"] == name]
        style = ' class="lost"' if any(map(lost, these)) else ""
        parts.append(f'<text{style} x="{LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{name}</text>'
                     f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 20}" y1="{middle:.1f}" y2="{middle:.1f}"/>')
        for row in these:
            colour = COLOURS[threads.index(row["threads"]) % len(COLOURS)]
            parts.append(f'<circle cx="{x(row["ratio"]):.1f}" cy="{middle:.1f}" r="4.5" fill="{colour}">'
                         f'<title>{name}, {row["threads"]}: {row["ratio"]:.2f}, {NAMES[row["peer"]]}</title></circle>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    """The table and the plot of a results.jsonl, written beside it."""
    import sys
    found = read(sys.argv[1])
    markdown(os.path.dirname(os.path.abspath(sys.argv[1])), found)
    print(summary(found))


if __name__ == "__main__":
    main()
