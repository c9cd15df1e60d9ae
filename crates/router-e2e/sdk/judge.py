"""What every script here needs: claims that are checked, and the address under test."""

import base64
import struct
import sys
import zlib

BASE = sys.argv[1].rstrip("/")
FAILED = []


def claim(name):
    """Runs the decorated function; what it raises is a failed claim."""

    def run(function):
        try:
            function()
            print(f"ok    {name}")
        except BaseException as error:  # noqa: BLE001 - a claim may fail in any way
            FAILED.append(name)
            print(f"FAIL  {name}: {type(error).__name__}: {error}")
        return function

    return run


def raises(kind, function, status=None, says=""):
    """The error of class `kind` that `function` has to raise."""
    try:
        function()
    except kind as error:
        assert status is None or error.status_code == status, f"status {error.status_code}"
        assert says.lower() in str(error).lower(), f"says: {error}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def png(width=2, height=3):
    """A small picture."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def done():
    """Ends the script: 0 if every claim held."""
    sys.exit(1 if FAILED else 0)
