"""A Hugging Face Hub of one process: what its client asks for, on loopback.

Repositories are dicts of files; a commit replaces them. Files come whole in
the commit: the real hub takes large ones by another way.
"""

import base64
import contextlib
import http.server
import json
import threading

COMMIT = "0123456789" * 4


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            name = "/".join(parts[2:4])
            if name not in self.server.repositories:
                return self._answer(404, b"{}")
            files = self.server.repositories[name]
            if "tree" in parts:
                return self._json(
                    [
                        {
                            "type": "file",
                            "path": file,
                            "oid": file,
                            "size": len(content),
                        }
                        for file, content in files.items()
                    ]
                )
            return self._json(
                {
                    "_id": "1",
                    "id": name,
                    "sha": COMMIT,
                    "private": False,
                    "siblings": [{"rfilename": file} for file in files],
                }
            )
        if parts[2:3] != ["resolve"]:
            return self._answer(404, b"{}")
        file = parts[4]  # owner/name/resolve/revision/file
        content = self.server.repositories["/".join(parts[:2])][file]
        return self._answer(
            200, content, {"ETag": f'"{file}"', "X-Repo-Commit": COMMIT}
        )

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts == ["api", "repos", "create"]:
            request = json.loads(body)
            name = f"{request['organization']}/{request['name']}"
            self.server.repositories.setdefault(name, {})
            self.server.requests.append(request)
            return self._json({"url": f"{self.server.url}/{name}"})
        if "preupload" in parts:
            files = json.loads(body)["files"]
            return self._json(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "regular",
                            "shouldIgnore": False,
                        }
                        for file in files
                    ]
                }
            )
        if "commit" in parts:
            name = "/".join(parts[2:4])
            repository = self.server.repositories[name]
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    repository[value["path"]] = base64.b64decode(
                        value["content"]
                    )
            return self._json(
                {
                    "commitUrl": f"{self.server.url}/{name}/commit/{COMMIT}",
                    "commitOid": COMMIT,
                }
            )
        return self._json({"errors": [], "warnings": []})  # The card's YAML.

    def _json(self, content):
        self._answer(200, json.dumps(content).encode())

    def _answer(self, status, content, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for item in dict(headers).items():
            self.send_header(*item)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def hub():
    """Gives a server with `url`, `repositories` and `requests`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    server.repositories, server.requests = {}, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
