"""Tiny archives with the real names, and a server on loopback that misbehaves on request."""

import gzip
import hashlib
import io
import tarfile
import threading
import zipfile
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PARTS18 = [f"posetrack18_images.tar.a{letter}" for letter in "abcdefghijklmnopqr"]
PARTS17 = [f"posetrack_data_images.tar.batch0{digit}" for digit in range(8)]
LABELS18 = "posetrack18_v0.45_public_labels.tar.gz"
OLD_LABELS18 = "posetrack18_v0.2_public_labels.tar.gz"
LABELS17 = "posetrack_v0.75_labels.tar"
LABELS21 = "posetrack21_annotations.zip"


def noise(name, size):
    """Bytes that depend on the name alone and do not compress."""
    return hashlib.shake_128(name.encode()).digest(size)


def images18(splits=("train", "val", "test"), size=900):
    names = [
        f"images/{s}/00{v}_mpii_test/{f:06}.jpg" for s in splits for v in (1, 2) for f in (0, 1)
    ]
    return {name: noise(name, size + 13 * i) for i, name in enumerate(names)}


def labels18(text="{}"):
    return {
        f"posetrack_data/annotations/{split}/00{video}_mpii_test.json": text.encode()
        for split in ("train", "val")
        for video in (1, 2)
    }


EXPECTED18 = images18() | {n.removeprefix("posetrack_data/"): d for n, d in labels18().items()}
"""The files of a tiny PoseTrack2018 by name, as they lie in its root."""
LABELS_21 = {
    f"data/posetrack_data/{split}/{name}.json": b"{}" for split in ("train", "val") for name in "ab"
}


def tar_of(files, changes=None):
    """A tar archive; `changes(header)` may spoil the headers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            if changes:
                changes(header)
            tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def cut(data, names):
    """The bytes in as many pieces as there are names; cuts fall anywhere, also in headers."""
    step = len(data) // len(names) + 1
    return {name: data[i * step : (i + 1) * step] for i, name in enumerate(names)}


def posetrack18(image_files=None, label_files=None):
    """Archive parts of a tiny PoseTrack2018, by name."""
    images = tar_of(image_files or images18())
    labels = gzip.compress(tar_of(label_files or labels18()), mtime=0)
    return cut(images, PARTS18) | {LABELS18: labels}


def posetrack17():
    videos = ("bonn/000001_bonn", "mpii_5sec/00002_mpii")
    images = {
        f"images/{video}/0000{f}.jpg": noise(video, 700 + f) for video in videos for f in (1, 2)
    }
    one, two = dict(list(images.items())[:2]), dict(list(images.items())[2:])
    labels = {f"posetrack_data/annotations/{s}/1.mat": b"MATLAB" for s in ("train", "val")}
    # Two tars one after the other, which only `tar -i` reads to the end.
    return cut(tar_of(one) + tar_of(two), PARTS17) | {LABELS17: tar_of(labels)}, images


def zip_of(files, password=None):
    """A zip archive, with the classic encryption if there is a password (from its description)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (2021, 1, 1, 0, 0, 0))
            if password:
                # zipfile cannot encrypt: the encrypted bytes are stored, the header mended below.
                data = _encrypted(data, password)
            packed.writestr(entry, data)
    if not password:
        return buffer.getvalue()
    raw = bytearray(buffer.getvalue())
    with zipfile.ZipFile(io.BytesIO(bytes(raw))) as packed:
        entries = packed.infolist()
        central = packed.start_dir
    for entry in entries:
        plain = files[entry.filename]
        crc, size = zlib.crc32(plain).to_bytes(4, "little"), len(plain).to_bytes(4, "little")
        raw[entry.header_offset + 6] |= 1
        raw[entry.header_offset + 14 : entry.header_offset + 18] = crc
        raw[entry.header_offset + 22 : entry.header_offset + 26] = size
        raw[central + 8] |= 1
        raw[central + 16 : central + 20] = crc
        raw[central + 24 : central + 28] = size
        central += 46 + len(entry.filename.encode())
    return bytes(raw)


def _encrypted(data, password):
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(old, byte):
        return zlib.crc32(bytes([byte]), old ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte):
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password.encode():
        update(byte)
    out = bytearray()
    for byte in bytes(11) + bytes([zlib.crc32(data) >> 24]) + data:
        word = keys[2] | 2
        out.append(byte ^ (((word * (word ^ 1)) >> 8) & 255))
        update(byte)
    return bytes(out)


class Server:
    """Serves `files` by name; `faults[name]` is a list, one entry is used up per GET.

    Faults: a status (403), ("drop", n) sends n bytes of the body and closes the connection,
    "whole" ignores Range, "html" answers with a web page. Always, if in `always`: "whole", "mute"
    sends no validators, "unconditional" ignores If-Range.
    """

    def __init__(self, files):
        self.files, self.faults, self.requests = dict(files), {}, []
        self.always = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.answer(body=False)

            def do_GET(self):
                self.answer(body=True)

            def answer(self, body):
                server.answer(self, body)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/data/"

    def answer(self, request, body):
        name = request.path.partition("?")[0].rpartition("/")[2]
        data, span = self.files.get(name), request.headers.get("Range")
        fault = None
        if body:
            self.requests.append((name, span))
            queue = self.faults.get(name, [])
            fault = queue.pop(0) if queue else None
        if isinstance(fault, int) or data is None:
            request.send_response(fault if isinstance(fault, int) else 404)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        start, status = 0, 200
        whole = fault == "whole" or "whole" in self.always
        condition = request.headers.get("If-Range", tag)
        if span and not whole and (condition == tag or "unconditional" in self.always):
            start, status = int(span.removeprefix("bytes=").removesuffix("-")), 206
        request.send_response(status)
        if fault == "html":
            data = b"<html>please log in</html>"
            request.send_header("Content-Type", "text/html; charset=utf-8")
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if "mute" not in self.always:
            request.send_header("ETag", tag)
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        if body:
            stop = start + fault[1] if isinstance(fault, tuple) else len(data)
            request.wfile.write(data[start:stop])


@contextmanager
def serving(files):
    server = Server(files)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join(5)


def tree(root):
    """Content of every data file under the root, by name: neither records nor archives."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
        and path.relative_to(root).parts[0] not in (".acquire", "archives", "acquired.json")
    }


def place(root, files):
    """Write files into `root/archives`, as a user does."""
    (root / "archives").mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (root / "archives" / name).write_bytes(data)
