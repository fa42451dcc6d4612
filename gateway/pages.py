"""The pages that people see: one look, nothing loaded, nothing sent anywhere."""

import hashlib
from base64 import b64encode
from enum import Enum
from html import escape
from typing import Final

from starlette.responses import HTMLResponse, Response

STYLE: Final = """
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif;
  color: #1c2330; background: #f3f5f8; }
main { box-sizing: border-box; width: min(32rem, 100vw - 2rem); margin: 1rem; padding: 2rem; border-radius: 12px;
  background: #fff; border-top: 6px solid #b42318; box-shadow: 0 1px 4px #0003; overflow-wrap: anywhere; }
main.connected { border-color: #17733b; }
main.refused { border-color: #8a6100; }
h1 { margin: 0 0 1rem; font-size: 1.375rem; line-height: 1.25; }
p { margin: .75rem 0 0; }
small { color: #596273; }
button { margin-top: 1.25rem; padding: .5rem 1.25rem; border: 0; border-radius: 8px; font: inherit; font-weight: 600;
  color: #fff; background: #17733b; cursor: pointer; }
@media (prefers-color-scheme: dark) {
  body { color: #e7ebf2; background: #12161d; }
  main { background: #1c222c; border-color: #f97066; }
  main.connected { border-color: #4ac27a; }
  main.refused { border-color: #e0ad3c; }
  small { color: #a3adbd; }
}
"""

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{style}</style>
</head>
<body>
<main class="{mood}">
<h1>{heading}</h1>
<p>{message}</p>
<p>{advice}</p>{code}{button}
</main>
</body>
</html>
"""

STYLE_HASH: Final = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class Mood(Enum):
    """What has come of it: the page's colour."""

    GOOD = "connected"
    OPEN = "refused"
    BAD = "failed"


def show_page(
    heading: str,
    message: str,
    advice: str,
    *,
    status: int = 200,
    mood: Mood = Mood.BAD,
    code: str | None = None,
    button: str | None = None,
) -> Response:
    """A page in these words; a `button` sends an empty form to the page's own address."""
    page = PAGE.format(
        style=STYLE,
        mood=mood.value,
        heading=escape(heading),
        message=escape(message),
        advice=escape(advice),
        code=f"\n<p><small>{escape(code)}</small></p>" if code else "",
        button=f'\n<form method="post"><button>{escape(button)}</button></form>' if button else "",
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action '{'self' if button else 'none'}'"
    )
    return HTMLResponse(page, status, {"cache-control": "no-store", "content-security-policy": policy})
