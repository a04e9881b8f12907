"""Decides which requests reach the server of the page."""

import ipaddress
import json
import socket
import urllib.parse

MAX_BODY = 64 * 1024  # Bytes. A request holds a few numbers and names.
# The paths that the page itself posts to. It does not upload files.
POSTS = ("/queue/join", "/cancel", "/reset")


class RequestLimits:
    """ASGI middleware that lets only requests of the page itself pass.

    It refuses other paths, bodies that are large or that are not what the page
    sends, and host names that this server does not have. Otherwise, a page of
    another host could make its own name point to this machine (DNS rebinding),
    and so control the server from the user's browser.

    Args:
        app: The ASGI application.
        host: The address that the server listens on.
        sends: Function that takes a JSON object, and returns whether the page
            sends such a request for one of its functions. If `None`, all are
            accepted.
    """

    def __init__(self, app, host="127.0.0.1", sends=None):
        self.app = app
        self.host = host
        self.sends = sends

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        status = self._refusal(scope)
        if not status and scope["type"] == "http" and scope["method"] == "POST":
            body = await _read(receive)
            status = self._refusal_of_body(scope["path"], body)
            receive = _replay(body, receive)
        if not status:
            status = await self._answer(scope, receive, send)
        if status and scope["type"] == "http":
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            start = {"type": "http.response.start", "status": status}
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        elif status:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope, receive, send):
        """Lets the application answer, and returns 500 if it fails to begin.

        An error is printed as only one line, because any client can cause it.
        """
        begun = False

        async def sending(message):
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"A request failed ({scope['path']!r:.60}): {text:.200}")
            if not begun:
                return 500
            if scope["type"] == "http":  # End what was begun.
                await send({"type": "http.response.body", "body": b""})
        return None

    def _refusal(self, scope):
        """Returns the HTTP status of a refusal, or None."""
        headers = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0].decode("latin-1")):
            return 421  # Misdirected request.
        for name, value in headers:
            # Browsers say here which page sends the request.
            origin = value.decode("latin-1").partition("://")[2]
            if name == b"origin" and not self._is_own(origin):
                return 403
        if scope["type"] != "http":
            return None
        method, path = scope["method"], scope["path"]
        if method in ("GET", "HEAD"):
            return 404 if _leads_elsewhere(path) else None
        if method != "POST":
            return 405
        if not path.endswith(POSTS):
            return 404
        lengths = [v for name, v in headers if name == b"content-length"]
        # With a transfer encoding, the length is not that of the body.
        if (
            len(lengths) != 1
            or not lengths[0].isdigit()
            or any(name == b"transfer-encoding" for name, _ in headers)
        ):
            return 411
        return 413 if int(lengths[0]) > MAX_BODY else None

    def _is_own(self, name):
        return is_name_of(name, self.host)

    def _refusal_of_body(self, path, body):
        if body is None:
            return 413
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return 400
        if not isinstance(content, dict):
            return 422
        if not path.endswith("/queue/join"):
            return None
        index, data = content.get("fn_index"), content.get("data")
        session = content.get("session_hash")
        if (
            type(index) is not int
            or not isinstance(data, list)
            or not isinstance(session, str)
            or not 0 < len(session) <= 100
            or not isinstance(content.get("event_data"), (dict, type(None)))
        ):
            return 422
        return None if self.sends is None or self.sends(content) else 422


def is_name_of(name, listens_on):
    """Returns whether a name, maybe with a port, is one of this server.

    Args:
        name: String, such as `localhost:7860`.
        listens_on: String, the address that the server listens on.
    """
    try:
        parts = urllib.parse.urlsplit(f"//{name}")
        host = parts.hostname
        _ = parts.port  # Raises an error for an invalid port.
    except ValueError:
        return False
    if not host or parts.username is not None or parts.path:
        return False
    if host in ("localhost", listens_on.lower()):
        return True
    here = _address(listens_on)
    on_all = here is not None and here.is_unspecified
    address = _address(host)
    if address is None:
        return on_all and host in _own_names()
    # Unlike a name, an address cannot be made to point here by others.
    return address.is_loopback or on_all


def _own_names():
    return {socket.gethostname().lower(), socket.getfqdn().lower()}


def _address(text):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _leads_elsewhere(path):
    """Returns whether a path is not of the page, but for other programs."""
    _, found, file = path.partition("file=")
    if any(part in path for part in ("proxy=", "/call/", "/monitoring")):
        return True
    return bool(found) and ("://" in file or file.startswith(("//", "\\")))


async def _read(receive):
    """Returns the body of a request, or None if it is too large."""
    parts, length, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # The client has gone.
            break
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        more = message.get("more_body", False)
        if length > MAX_BODY:
            return None
    return b"".join(parts)


def _replay(body, receive):
    """Returns a function that gives the body, then what `receive` gives."""
    messages = [{"type": "http.request", "body": body or b""}]

    async def replayed():
        return messages.pop() if messages else await receive()

    return replayed
