"""Which requests reach the server of the page."""

MAX_BODY = 64 * 1024  # Bytes. A request holds a few numbers and names.
# The paths that the page itself posts to. It does not upload files.
POSTS = ("/queue/join", "/cancel", "/reset")


class RequestLimits:
    """ASGI middleware that refuses large bodies and unknown paths."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            status = _refusal(scope)
            if status:
                await send(
                    {
                        "type": "http.response.start",
                        "status": status,
                        "headers": [(b"content-length", b"0")],
                    }
                )
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)


def _refusal(scope):
    """Returns the HTTP status of a refusal, or None if a request may pass."""
    if scope["method"] in ("GET", "HEAD"):
        return None
    if scope["method"] != "POST":
        return 405
    if not scope["path"].endswith(POSTS):
        return 404
    length = dict(scope["headers"]).get(b"content-length", b"")
    if not length.isdigit():
        return 411
    return 413 if int(length) > MAX_BODY else None
