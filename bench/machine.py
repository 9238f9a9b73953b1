"""What the machine of a run can do: peaks of arithmetic and bandwidth, measured by machine.c in the same run."""
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY_BYTES = 512 << 20   # per thread; beyond the last-level cache of most machines, or the bandwidth is that cache's


def processor():
    with open("/proc/cpuinfo") as f:
        found = re.search(r"model name\s*:\s*(.*)", f.read())
    return found.group(1) if found else "unknown processor"


def level_two_bytes():
    try:
        with open("/sys/devices/system/cpu/cpu0/cache/index2/size") as f:
            return int(f.read().strip().rstrip("K")) << 10
    except (OSError, ValueError):
        return 1 << 20


def measure(build, threads):
    program = os.path.join(build, "bench", "machine")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-march=native", os.path.join(HERE, "machine.c"), "-o", program, "-pthread"],
                   check=True)
    sizes = str(level_two_bytes() // 2), str(MEMORY_BYTES)
    text = subprocess.run([program, str(threads), *sizes], check=True, capture_output=True, text=True).stdout
    return {"machine": processor(), "threads": threads} | json.loads(text)


def better(one, other):
    return {name: max(value, other[name]) if isinstance(value, float) else value for name, value in one.items()}


def describe(peak):
    tiles = f", {peak['amx_bf16_gflops']:.0f} in bf16 tiles" if peak["amx_bf16_gflops"] else ""
    return (f"{peak['machine']}, {peak['threads']} thread{'s' if peak['threads'] > 1 else ''}: {peak['fma_gflops']:.0f} GFLOP/s{tiles}; "
            f"reads {peak['l2_gbps']:.0f} GB/s from the second-level cache, {peak['memory_gbps']:.0f} GB/s from memory")
