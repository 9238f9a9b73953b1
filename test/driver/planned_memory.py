"""The workspaces of large networks: no two buffers that are alive together overlap, and the whole is within 5 % of what is alive at once."""
import json
import subprocess
import sys

nacre, *cases = sys.argv[1:]
for case in cases:
    found = subprocess.run([nacre, "inspect", "--json", *case.split()], check=True, capture_output=True, text=True).stdout
    for entry in json.loads(found)["entries"]:
        buffers = entry["buffers"]
        assert len(buffers) > 20 and all(b["scale"] == "" for b in buffers), case
        alive = max(sum(b["bytes"] for b in buffers if b["first"] <= a["first"] <= b["last"]) for a in buffers)
        print(f"{case}: {entry['workspace']} bytes, {alive} alive at once")
        assert alive <= int(entry["workspace"]) <= 1.05 * alive
        for i, a in enumerate(buffers):
            assert a["offset"] % 64 == 0 and a["offset"] + a["bytes"] <= int(entry["workspace"]), (case, a)
            for b in buffers[:i]:
                together = a["first"] <= b["last"] and b["first"] <= a["last"]
                apart = a["offset"] + a["bytes"] <= b["offset"] or b["offset"] + b["bytes"] <= a["offset"]
                assert apart or not together, (case, a, b)
