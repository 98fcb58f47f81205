"""Cloud Storage in memory: the part of its JSON API that gcsfs, Beam and Google's client use."""

import base64
import email
import hashlib
import itertools
import json
import re
import threading
import urllib.parse

import google_crc32c

from cloud.server import Answer, Request, Server, error, not_found

OBJECT = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)$")
COPY = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/(rewriteTo|copyTo)/b/([^/]+)/o/([^/]+)$")
LIST = re.compile(r"/storage/v1/b/([^/]+)/o/?$")
BUCKET = re.compile(r"/storage/v1/b/([^/]+)$")
UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o$")
RANGE = re.compile(r"bytes (?:\*|(\d+)-(\d+))/(\d+|\*)")


class Storage:
    """Buckets named at the start; objects as bytes in `objects`, by (bucket, name)."""

    def __init__(self, *buckets: str):
        self.buckets = set(buckets)
        self.objects: dict[tuple[str, str], bytes] = {}
        self.generations: dict[tuple[str, str], int] = {}
        # The answer to all requests, if there is one.
        self.refusal: Answer | None = None
        self._counter = itertools.count(1)
        self._uploads: dict[str, tuple[str, str, bytearray, dict[str, str]]] = {}
        self._lock = threading.RLock()
        self.server = Server(self.answer)
        self.url = self.server.url

    def put(self, address: str, data: bytes) -> None:
        """Puts an object at gs://bucket/name."""
        bucket, _, name = address.removeprefix("gs://").partition("/")
        self._put(bucket, name, data)

    def get(self, address: str) -> bytes:
        bucket, _, name = address.removeprefix("gs://").partition("/")
        return self.objects[bucket, name]

    def names(self, prefix: str = "gs://") -> list[str]:
        """Addresses of objects below a prefix."""
        found = [f"gs://{bucket}/{name}" for bucket, name in sorted(self.objects)]
        return [address for address in found if address.startswith(prefix)]

    def close(self) -> None:
        self.server.close()

    def answer(self, request: Request) -> Answer:
        with self._lock:
            if self.refusal is not None:
                return self.refusal
            if request.path == "/batch/storage/v1":
                return self._batch(request)
            if request.path.startswith("/resumable/"):
                return self._resume(request)
            if match := UPLOAD.match(request.path):
                return self._upload(request, match[1])
            return self._single(request)

    def _single(self, request: Request) -> Answer:
        if match := COPY.match(request.path):
            return self._copy(match)
        if match := OBJECT.match(request.path):
            return self._object(request, match[1], urllib.parse.unquote(match[2]))
        if match := LIST.match(request.path):
            return self._list(match[1], request.query)
        if match := BUCKET.match(request.path):
            if match[1] not in self.buckets:
                return not_found(f"bucket {match[1]}")
            return Answer(
                {
                    "kind": "storage#bucket",
                    "id": match[1],
                    "name": match[1],
                    "location": "US",
                    "projectNumber": "1",
                }
            )
        return not_found(request.path)

    def _put(self, bucket: str, name: str, data: bytes) -> None:
        self.objects[bucket, name] = bytes(data)
        self.generations[bucket, name] = next(self._counter)

    def _put_if(self, bucket: str, name: str, data: bytes, query: dict[str, str]) -> Answer:
        if bucket not in self.buckets:
            return not_found(f"bucket {bucket}")
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and int(wanted) != self.generations.get((bucket, name), 0):
            return error(412, "FAILED_PRECONDITION", "another generation is there")
        self._put(bucket, name, data)
        return Answer(self._about(bucket, name))

    def _about(self, bucket: str, name: str) -> dict[str, str]:
        data, generation = self.objects[bucket, name], self.generations[bucket, name]
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "bucket": bucket,
            "name": name,
            "size": str(len(data)),
            "generation": str(generation),
            "metageneration": "1",
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            "timeCreated": "2026-01-01T00:00:00.000Z",
            "updated": "2026-01-01T00:00:00.000Z",
            "etag": str(generation),
            "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
            "crc32c": base64.b64encode(google_crc32c.Checksum(data).digest()).decode(),
        }

    def _object(self, request: Request, bucket: str, name: str) -> Answer:
        if (bucket, name) not in self.objects:
            return not_found(f"gs://{bucket}/{name}")
        if request.method == "DELETE":
            wanted = request.query.get("ifGenerationMatch")
            if wanted is not None and int(wanted) != self.generations[bucket, name]:
                return error(412, "FAILED_PRECONDITION", "another generation is there")
            del self.objects[bucket, name], self.generations[bucket, name]
            return Answer(status=204)
        if request.query.get("alt") == "media":
            return self._media(request, bucket, name)
        return Answer(self._about(bucket, name))

    def _media(self, request: Request, bucket: str, name: str) -> Answer:
        data = self.objects[bucket, name]
        headers = {
            "X-Goog-Generation": str(self.generations[bucket, name]),
            "Content-Type": "application/octet-stream",
        }
        wanted = request.headers.get("Range")
        if not wanted:
            return Answer(data, 200, headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(len(data) - int(last), 0)
        stop = min(int(last) + 1, len(data)) if last and first else len(data)
        if start >= len(data):
            return Answer(b"", 416, {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return Answer(data[start:stop], 206, headers)

    def _list(self, bucket: str, query: dict[str, str]) -> Answer:
        if bucket not in self.buckets:
            return not_found(f"bucket {bucket}")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        for owner, name in sorted(self.objects):
            if owner != bucket or not name.startswith(prefix):
                continue
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                items.append(self._about(bucket, name))
        limit = int(query.get("maxResults", 1000))
        start = int(query.get("pageToken", 0))
        page = {
            "kind": "storage#objects",
            "items": items[start : start + limit],
            "prefixes": sorted(prefixes),
        }
        if start + limit < len(items):
            page["nextPageToken"] = str(start + limit)
        return Answer(page)

    def _copy(self, match: re.Match) -> Answer:
        source = match[1], urllib.parse.unquote(match[2])
        target = match[4], urllib.parse.unquote(match[5])
        if source not in self.objects:
            return not_found("/".join(source))
        self._put(*target, self.objects[source])
        about = self._about(*target)
        if match[3] == "copyTo":
            return Answer(about)
        size = about["size"]
        return Answer(
            {
                "kind": "storage#rewriteResponse",
                "done": True,
                "resource": about,
                "totalBytesRewritten": size,
                "objectSize": size,
            }
        )

    def _upload(self, request: Request, bucket: str) -> Answer:
        query = request.query
        if query.get("uploadType") == "resumable":
            name = query.get("name") or request.json()["name"]
            number = str(next(self._counter))
            self._uploads[number] = (bucket, name, bytearray(), query)
            return Answer(b"{}", 200, {"Location": f"{self.url}/resumable/{number}"})
        if query.get("uploadType") == "media":
            return self._put_if(bucket, query["name"], request.body, query)
        kind = request.headers["Content-Type"]
        boundary = re.search(r"boundary=[\"']?([^;\"']+)", kind)
        assert boundary, kind
        _, about, content, *_ = request.body.split(b"--" + boundary[1].encode())
        name = json.loads(re.split(rb"\r?\n\r?\n", about, maxsplit=1)[1])["name"]
        data = re.sub(rb"\r?\n$", b"", re.split(rb"\r?\n\r?\n", content, maxsplit=1)[1])
        return self._put_if(bucket, name, data, query)

    def _resume(self, request: Request) -> Answer:
        number = request.path.rpartition("/")[2]
        if number not in self._uploads:
            return not_found("the upload")
        bucket, name, data, query = self._uploads[number]
        place = RANGE.match(request.headers.get("Content-Range", ""))
        data += request.body
        if place is None or (place[3] != "*" and len(data) >= int(place[3])):
            return self._put_if(bucket, name, bytes(data), query)
        return Answer(b"", 308, {"Range": f"bytes=0-{len(data) - 1}"} if data else {})

    def _batch(self, request: Request) -> Answer:
        kind = request.headers["Content-Type"].encode()
        parts = email.message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + request.body)
        answers = b""
        for part in parts.get_payload():
            line = part.get_payload().strip().split("\n")[0]
            method, address, *_ = line.split(" ")
            path = urllib.parse.urlsplit(address).path
            one = self._single(Request(method, path, {}, {}, b""))
            body = one.body if isinstance(one.body, bytes) else json.dumps(one.body).encode()
            number = (part["Content-ID"] or "<>").strip("<>")
            answers += (
                (
                    "--batch\r\nContent-Type: application/http\r\n"
                    f"Content-ID: <response-{number}>\r\n\r\n"
                    f"HTTP/1.1 {one.status} -\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n"
                ).encode()
                + body
                + b"\r\n"
            )
        answers += b"--batch--\r\n"
        return Answer(answers, 200, {"Content-Type": "multipart/mixed; boundary=batch"})
