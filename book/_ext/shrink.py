"""Make a PDF of Chromium's smaller, with everything in it kept.

What lets a screen reader through its pages are thousands of small objects, each in
plain text. Since PDF 1.5 they may be compressed together, in streams of objects.
"""

import re
import struct
import zlib

TOGETHER = 500  # objects in a stream


def shrunk(data):
    """Return the bytes of a PDF with its small objects compressed."""
    start = int(re.search(rb"startxref\s+(\d+)", data[-64:])[1])
    table, trailer = data[start:].split(b"trailer", 1)
    entries = re.findall(rb"(\d{10}) \d{5} ([nf])", table)
    begins = {n: int(at) for n, (at, kind) in enumerate(entries) if kind == b"n"}
    ends = [*sorted(begins.values())[1:], start]
    ends = dict(zip(sorted(begins.values()), ends, strict=True))
    # Where each object is: in the file, or at some place of a stream.
    out, rows, small = bytearray(b"%PDF-1.5\n%\xd3\xeb\xe9\xe1\n"), {}, []
    for number, begin in begins.items():
        text = data[begin : ends[begin]]
        body = re.fullmatch(rb"\d+ 0 obj\s*(.*?)\s*endobj\s*", text, re.S)[1]
        if body.endswith(b"endstream"):
            rows[number] = 1, len(out), 0
            out += text
        else:
            small.append((number, body))
    total = len(entries)
    for k in range(0, len(small), TOGETHER):
        group = small[k : k + TOGETHER]
        numbers, bodies = zip(*group, strict=True)
        places, at = [], 0
        for index, (number, body) in enumerate(group):
            rows[number] = 2, total, index
            places.append(b"%d %d" % (number, at))
            at += len(body) + 1
        first = b" ".join(places) + b"\n"
        facts = b"/Type /ObjStm /N %d /First %d" % (len(numbers), len(first))
        rows[total] = 1, len(out), 0
        out += _stream(total, facts, first + b"\n".join(bodies))
        total += 1
    rows[total] = 1, len(out), 0
    where = len(out)
    kept = b" ".join(re.findall(rb"/(?:Root|Info) \d+ 0 R|/ID \[.*?\]", trailer, re.S))
    facts = b"/Type /XRef /Size %d /W [1 4 2] %s" % (total + 1, kept)
    rows = [struct.pack(">BIH", *rows.get(n, (0, 0, 0))) for n in range(total + 1)]
    out += _stream(total, facts, b"".join(rows))
    return bytes(out) + b"startxref\n%d\n%%%%EOF\n" % where


def _stream(number, facts, content):
    content = zlib.compress(content, 9)
    head = b"%d 0 obj\n<<%s /Filter /FlateDecode /Length %d>> stream\n"
    head %= number, facts, len(content)
    return head + content + b"\nendstream\nendobj\n"
