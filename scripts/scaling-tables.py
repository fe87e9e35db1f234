"""Runs the measurements of measure-scaling.sh, which makes the namespaces, and prints Markdown tables."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

LINK_MBIT = 200
HIDDEN_AT_LEAST = 0.6
ROUNDS = 3
# Enough samples that a step is long beside the clock, few enough that all parts together take minutes.
SCALING = {"resnet18": dict(batch=32, steps=3), "fno1d": dict(batch=20, steps=20)}
LINK = {"fno1d": dict(batch=20, steps=10), "resnet20": dict(batch=64, steps=5)}
# Microseconds and Gbit/s of a network: usual Ethernet, and one made for such machines.
NETWORKS = [(10, 100), (1, 200)]
WHOLE = "parallel.bucketMiB=64"
WAYS = [
    ("fp32, one bucket, no overlap", "fast", [WHOLE]),
    ("fp32, poll", "fast", []),
    ("fp32, thread", "fast", ["parallel.progress=thread"]),
    ("bf16, one bucket, no overlap", "bf16", ["parallel.compression=bf16", WHOLE]),
    ("bf16, poll", "bf16", ["parallel.compression=bf16"]),
    ("bf16, thread", "bf16", ["parallel.compression=bf16", "parallel.progress=thread"]),
    ("sharded, poll", "ordered", ["parallel.shardOptimizer=true"]),
]


class Machine:
    def __init__(self, program, agent, hosts):
        self.program, self.agent, self.hosts = program, agent, hosts

    def command(self, ranks, arguments, apart):
        if not apart:
            idle = ["--mca", "mpi_yield_when_idle", "1"] if ranks > os.cpu_count() else []
            return ["mpirun", "-np", str(ranks)] + idle + [self.program] + arguments
        inside = ["ip", "netns", "exec", self.hosts[0], "unshare", "--uts", "sh", "-c"]
        settings = {"plm_rsh_agent": self.agent, "oob_tcp_if_include": "eth0", "btl_tcp_if_include": "eth0"}
        mpirun = ["mpirun", "-np", str(ranks), "--host", ",".join(self.hosts)]
        mpirun += [word for item in settings.items() for word in ("--mca", *item)]
        return inside + [f'hostname {self.hosts[0]}; exec "$@"', "_"] + mpirun + [self.program] + arguments

    def start(self, ranks, arguments, apart=False):
        return subprocess.Popen(
            self.command(ranks, arguments, apart), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def lines(self, process):
        """The JSON lines of a process, which gets a minute."""
        try:
            output, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            sys.exit(f"took more than a minute: {' '.join(process.args)}")
        if process.returncode != 0:
            sys.exit(f"failed: {' '.join(process.args)}\n{errors}")
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    def bench(self, name, ranks, batch, steps, changes=(), apart=False):
        return self.lines(self.start(ranks, bench_arguments(name, batch, steps, changes), apart))[0]

    def plan(self, name, batch, options, started=1, changes=(), apart=False):
        arguments = ["plan", "--bench", name, "--steps", "2", "--json", "--set", f"training.batch={batch}"]
        arguments += sets(changes) + options
        return self.lines(self.start(started, arguments, apart))[0]


def sets(changes):
    return [word for change in changes for word in ("--set", change)]


def bench_arguments(name, batch, steps, changes=()):
    return ["bench", name, "--json", "--batch", str(batch), "--steps", str(steps)] + sets(changes)


def table(title, names, rows):
    print(f"\n{title}\n")
    print("| " + " | ".join(names) + " |")
    print("|---" + "|--:" * (len(names) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def percent(value):
    return f"{value * 100:.1f} %"


def scaling(machine):
    """One rank, two ranks, and two ranks that know nothing of each other, in turns."""
    rows = []
    for name, sizes in SCALING.items():
        alone, together, apart = [], [], []
        for _ in range(ROUNDS):
            alone.append(machine.bench(name, 1, **sizes)["medianMsPerStep"])
            together.append(machine.bench(name, 2, **sizes)["medianMsPerStep"])
            pair = [machine.start(1, bench_arguments(name, **sizes)) for _ in range(2)]
            apart.append(statistics.mean(machine.lines(process)[0]["medianMsPerStep"] for process in pair))
        ratio = lambda first, second: percent(statistics.median(a / b for a, b in zip(first, second)))
        rows.append(
            [name, str(sizes["batch"])] + [f"{statistics.median(values):.1f}" for values in (alone, apart, together)]
            + [ratio(alone, together), ratio(alone, apart), ratio(apart, together)])
    table(
        "One rank to two on one machine (medians of turns):",
        ["model", "batch", "1 rank, ms", "two jobs of 1 rank, ms", "2 ranks, ms", "efficiency",
         "of which memory and cores", "of which communication"], rows)


def interpolate(points, x):
    """A sum's time between two measured sizes."""
    points = sorted(points)
    (x0, y0), (x1, y1) = next(
        (pair for pair in zip(points, points[1:]) if pair[1][0] >= x), (points[-2], points[-1]))
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def link(machine):
    """A rank on each of two nodes with a slow link between them."""
    sums = machine.lines(
        machine.start(2, ["bench", "allreduce", "--json", "--largest", "4", "--rounds", "2"], apart=True))
    # A small sum is two messages, one each way; the rate is what the link was shaped to.
    latency = min(s["microseconds"] for s in sums if s["way"] == "fast") / 2
    given = ["--ranks", "2", "--nodes", "2", "--latency", repr(latency), "--bandwidth", repr(LINK_MBIT / 1e3)]
    failures = []
    for name, sizes in LINK.items():
        rows, best = [], {}
        for way, sum_way, changes in WAYS:
            # Both ranks measure their passes at once, as they make them in a step.
            plan = machine.plan(name, sizes["batch"], given, 2, changes, apart=True)
            step = machine.bench(name, 2, changes=changes, apart=True, **sizes)
            exposed = step["communicationShare"] * step["msPerStep"]
            predicted = plan["job"][0]
            cells = [
                way, f"{step['bytesSent'] / 1e6:.2f}", f"{step['msPerStep']:.1f}", f"{exposed:.1f}",
                percent(step["hiddenShare"]), f"{predicted['msPerStep']:.1f}", f"{predicted['exposedMs']:.1f}"]
            if "no overlap" in way or "sharded" in way:
                cells += ["", "", ""]
            else:
                size = 4 * plan["parameters"]
                whole = interpolate([(s["bytes"], s["msPerStep"]) for s in sums if s["way"] == sum_way], size)
                backward = plan["backwardMs"]
                share = (whole - exposed) / min(whole, backward)
                best[sum_way] = max(best.get(sum_way, 0), share)
                cells += [f"{whole:.1f}", f"{backward:.1f}", percent(share)]
            rows.append(cells)
        failures += [f"{name}, {way}" for way, share in best.items() if share < HIDDEN_AT_LEAST]
        table(
            f"{name}, batch {sizes['batch']}, a rank on each of two nodes, {LINK_MBIT} Mbit/s, {latency:.0f} µs:",
            ["way", "MB sent", "step, ms", "exposed, ms", "under way while computing", "predicted step, ms",
             "predicted exposed, ms", "sum alone, ms", "backward, ms", "hidden of what can be"], rows)
    return failures


def plans(machine):
    """Predictions from one rank alone for ranks on this machine."""
    rows = []
    for name, sizes in SCALING.items():
        batch = sizes["batch"]
        pair = machine.plan(name, batch, ["--ranks", "2"], started=2)
        # No bandwidth means that messages took no time that could be measured.
        latency, bandwidth = pair["nodeLatencyMicroseconds"], pair["nodeGigabitsPerSecond"] or 1e6
        given = ["--node-latency", repr(latency), "--node-bandwidth", repr(bandwidth), "--cores", str(os.cpu_count())]
        alone = machine.plan(name, batch, ["--ranks", "4"] + given)
        for row in alone["weak"]:
            ranks = row["ranks"]
            measured = machine.bench(name, ranks, **sizes)["medianMsPerStep"]
            rows.append([
                f"{name}, batch {batch}", str(ranks), f"{row['msPerStep']:.1f}", f"{measured:.1f}",
                f"{row['msPerStep'] / measured:.3f}"])
        rows[-1][0] += f" (node: {latency:.1f} µs, {bandwidth:.0f} Gbit/s)"
    table(
        f"`plan`, from one rank's phases, against measured steps ({os.cpu_count()} cores):",
        ["model", "ranks", "predicted, ms", "measured, ms", "predicted / measured"], rows)


def tables(machine):
    """Predictions up to 4,096 ranks, a rank on each node."""
    for name, sizes in SCALING.items():
        for latency, bandwidth in NETWORKS:
            options = ["--ranks", "64", "--nodes", "64", "--latency", str(latency), "--bandwidth", str(bandwidth)]
            tree, halving = (
                machine.plan(name, sizes["batch"], options + ["--algorithm", algorithm])
                for algorithm in ("binomial", "rabenseifner"))
            rows = [
                [f"{weak['ranks']:,}", f"{weak['msPerStep']:.1f}", f"{weak['exposedMs']:.2f}"]
                + [percent(row["efficiency"]) for row in (weak, weak_halving, strong, strong_halving)]
                for weak, weak_halving, strong, strong_halving in zip(
                    tree["weak"], halving["weak"], tree["strong"], halving["strong"])]
            first = {way: tree.get(f"{way}ExposedFrom", "more than 4,096") for way in ("weak", "strong")}
            table(
                f"{name}, {latency} µs and {bandwidth} Gbit/s; weak scaling with {sizes['batch']} samples a rank "
                f"(exposed communication above 1 % from {first['weak']} ranks on), strong scaling with "
                f"{tree['globalBatch']:,} in all (from {first['strong']} ranks on):",
                ["ranks", "weak: step, ms", "exposed, ms", "efficiency", "with rabenseifner", "strong: efficiency",
                 "with rabenseifner"], rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--agent", required=True)
    parser.add_argument("--hosts", nargs=2, required=True)
    parser.add_argument("--parts", nargs="*", choices=["scaling", "link", "plan", "tables"])
    options = parser.parse_args()
    machine = Machine(options.program, options.agent, options.hosts)
    parts = options.parts or ["scaling", "link", "plan", "tables"]
    began = time.monotonic()
    failures = []
    if "scaling" in parts:
        scaling(machine)
    if "link" in parts:
        failures = link(machine)
    if "plan" in parts:
        plans(machine)
    if "tables" in parts:
        tables(machine)
    print(f"\nmeasured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if failures:
        sys.exit(f"overlap hides less than {percent(HIDDEN_AT_LEAST)} of what can be hidden: {'; '.join(failures)}")


main()
