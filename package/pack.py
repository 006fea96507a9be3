"""Puts the binary into a zip as `bootstrap`, and refuses one that Lambda could not run or that has grown.

    pack.py BINARY ZIP GLIBC MOST_BYTES

The zip of one binary is always the same, to the byte: no time of a file is in it.
"""

import re
import sys
import zipfile

# What glibc's symbols are bound to, as they stand in the table of needed versions.
SYMBOL_VERSION = re.compile(rb"GLIBC_(\d+)\.(\d+)")
# Said by `regcred --help` where the sandbox is in.
SANDBOX = b"Serve the embedded AWS on loopback until it is stopped"
# The earliest that a zip can hold.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def fail(what, why, to_do):
    sys.exit(f"error: {what}\n  because: {why}\n  to do:   {to_do}")


def main(binary, target, glibc, most_bytes):
    with open(binary, "rb") as file:
        content = file.read()
    newest = max((tuple(map(int, found)) for found in SYMBOL_VERSION.findall(content)), default=(0, 0))
    if newest > tuple(map(int, glibc.split("."))):
        needed = ".".join(map(str, newest))
        fail("cannot package this binary", f"it needs glibc {needed}, and Lambda has {glibc}", "build it by package/run")
    if SANDBOX in content:
        fail("cannot package this binary", "the sandbox is in it", "build it with --no-default-features")

    entry = zipfile.ZipInfo("bootstrap", NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    # A regular file that anybody may run: Lambda runs it as another user.
    entry.external_attr = 0o100755 << 16
    entry.create_system = 3
    with zipfile.ZipFile(target, "w") as package:
        package.writestr(entry, content, compresslevel=9)
        size = package.fp.tell()
    if size > int(most_bytes):
        fail("the package is too large", f"it has {size:,} bytes, and {int(most_bytes):,} are allowed", "find out what grew: cargo bloat")
    print(f"{target}: {size:,} bytes, of a binary of {len(content):,} that needs glibc {'.'.join(map(str, newest))}", file=sys.stderr)
    print(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
