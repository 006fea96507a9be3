"""The calls of a pass by operation, as Markdown: with nothing to do, and with one password changed.

    benches/run calls
    benches/run calls REGISTRIES OBJECTS HOSTS      one world alone; HOSTS are those of each of its two clusters an object
"""

import collections
import sys

from world import Size, World

SIZES = [
    *(Size(registries, objects, hosts=100) for objects in (1, 5) for registries in (1, 20, 100, 1000)),
    Size(registries=100, objects=1, hosts=5000),
]


def measure(binary, size):
    """The calls of a pass with nothing to do and of one with a changed password, and how many hosts that restarted."""
    with World(binary, size) as world:
        world.regcred("sync")
        idle = world.calls_of("sync")
        before = world.restarts()
        world.set_password("r0000", "second")
        changed = world.calls_of("sync")
        return idle, changed, world.restarts() - before


def number(count):
    return f"{count:,}" if count else "·"


def row(cells):
    return f"| {' | '.join(cells)} |"


def table(title, sizes, columns, last_rows):
    """One column a world, one row an operation; the operations in the order of their totals."""
    totals = sum(columns, collections.Counter())
    rows = [
        row([title, *(f"{size.registries:,} / {size.objects} / {2 * size.objects} × {size.hosts:,}" for size in sizes)]),
        row(["---", *("--:" for _ in sizes)]),
        *(
            row([operation, *(number(column[operation]) for column in columns)])
            for operation, _ in totals.most_common()
        ),
        *(row([f"**{name}**", *(f"**{number(count)}**" for count in counts)]) for name, counts in last_rows),
    ]
    return "\n".join(rows)


def main(binary, *numbers):
    sizes = [Size(*map(int, numbers))] if numbers else SIZES
    results = []
    for size in sizes:
        print(f"{size} …", file=sys.stderr)
        results.append(measure(binary, size))
    idle, changed, restarted = zip(*results, strict=True)

    def all_calls(columns):
        return ("all calls", [column.total() for column in columns])

    print("A pass with nothing to do; registries / objects / clusters × hosts:\n")
    print(table("operation", sizes, idle, [all_calls(idle)]))
    print("\nA pass with one password changed:\n")
    print(table("operation", sizes, changed, [all_calls(changed), ("hosts restarted", restarted)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
