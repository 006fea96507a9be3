"""Wall time, CPU time and peak memory of a pass with nothing to do over 100 registries, beside a script of boto3 that does
the same, as Markdown. Both run in one world and in turn, so that what else the machine does falls on both.

    benches/run passes [REPETITIONS]
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from world import Size, World

HERE = pathlib.Path(__file__).resolve().parent
SIZE = Size(registries=100, objects=1, hosts=100)
OURS, THEIRS = "regcred sync", "boto3_pass.py"
WARM_UPS = 2
"""Python writes what it compiled, and the kernel reads the files, in the first runs."""


LAST_ANSWER = 4
"""In seconds. Half of it is more than either program needs to come to that point."""


def measure(world, program):
    """What one run took.

    Raises:
        subprocess.CalledProcessError: when the program found something to do, or failed.
    """
    told = world.folder / "measured.json"
    launcher = [sys.executable, "-I", "-S", HERE / "measure.py", told]
    subprocess.run([*launcher, *program], cwd=world.folder, env=world.environment(), capture_output=True, check=True)
    return json.loads(told.read_text())


def memory_at_the_end(world, program):
    """What a program holds while it waits for its last answer: private memory, and pages of files, in bytes."""
    world.delay("ecs", "ListContainerInstances", LAST_ANSWER)
    with subprocess.Popen(
        program, cwd=world.folder, env=world.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        time.sleep(LAST_ANSWER / 2)
        status = pathlib.Path(f"/proc/{running.pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(1024 * int(lines[name].split()[0]) for name in ("RssAnon", "RssFile"))


def spread(values, unit):
    """The median, and the least and the most beside it."""
    scale, form = {"ms": (1e3, ".1f"), "MB": (1e-6, ".1f")}[unit]
    middle, least, most = (each * scale for each in (statistics.median(values), min(values), max(values)))
    return f"{middle:{form}} {unit} ({least:{form}} to {most:{form}})"


def main(binary, repetitions="20"):
    programs = {
        OURS: [binary, "sync"],
        THEIRS: [sys.executable, HERE / "boto3_pass.py"],
        "import boto3, and no more": [sys.executable, "-c", "import boto3"],
        "true": ["true"],
    }
    taken = {name: [] for name in programs}
    with World(binary, SIZE) as world:
        world.regcred("sync")
        for repetition in range(WARM_UPS + int(repetitions)):
            for name, program in programs.items():
                took = measure(world, program)
                if repetition >= WARM_UPS:
                    taken[name].append(took)
        # Last, as answers are late from here on.
        held = {name: memory_at_the_end(world, programs[name]) for name in (OURS, THEIRS)}

    def column(name, figure):
        return [each[figure] for each in taken[name]]

    print(f"{repetitions} runs of each, in turn, on {os.cpu_count()} CPUs with a load of {os.getloadavg()[0]:.1f}:\n")
    print("| program | wall | CPU, user and system | peak memory |")
    print("|---|--:|--:|--:|")
    for name in programs:
        figures = (spread(column(name, figure), unit) for figure, unit in (("wall", "ms"), ("cpu", "ms"), ("memory", "MB")))
        print(f"| `{name}` | {' | '.join(figures)} |")
    ratios = []
    for figure in ("wall", "cpu", "memory"):
        ratio = statistics.median(column(THEIRS, figure)) / statistics.median(column(OURS, figure))
        ratios.append(f"1 : {ratio:.1f}")
    print(f"| regcred to boto3, of the medians | {' | '.join(ratios)} |")
    print("\nWhat is held while the last answer is waited for:\n")
    print("| program | private memory | pages of files |")
    print("|---|--:|--:|")
    for name, (private, of_files) in held.items():
        print(f"| `{name}` | {private / 1e6:.1f} MB | {of_files / 1e6:.1f} MB |")
    if min(column(OURS, "memory")) <= max(column("true", "memory")):
        sys.exit("the launcher held more memory than regcred did: that figure is the launcher's")


if __name__ == "__main__":
    main(*sys.argv[1:])
