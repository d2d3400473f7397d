"""The pages that need no template engine: the list of routes, and what each problem code means."""

from collections.abc import Iterable
from html import escape

from coordination.api.call import Route
from coordination.api.router import BASE
from tenants.problems import CATALOGUE, Code

# Nothing inline and nothing from outside, as on the dashboard.
POLICY = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
)
_STYLE = "/static/dashboard/interlock.css"


def _page(title: str, *parts: str) -> bytes:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)} · Interlock</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{_STYLE}"></head><body><main><h1>{escape(title)}</h1>\n'
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    ).encode()


def _head(*names: str) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>"


def docs(routes: Iterable[Route]) -> bytes:
    """Every route with what it needs and answers."""
    parts = [
        '<p>The machine-readable form is <a href="/api/v1/openapi.json">openapi.json</a>;'
        ' mistakes are explained under <a href="/problems/">problems</a>.</p>'
    ]
    tag = ""
    for route in routes:
        if route.tags[0] != tag:
            if tag:
                parts.append("</tbody></table>")
            tag = route.tags[0]
            parts.append(f"<h2>{escape(tag)}</h2>\n" + _head("Request", "What it does", "Needs", "Answers"))
        needs = ", ".join(route.permissions) or "to be signed in"
        answers = ", ".join(str(status) for status in route.responses)
        waits = " It can be waited for." if route.waits else ""
        parts.append(
            f'<tr id="{route.name}"><td><code>{route.method} {escape(BASE + route.path)}</code></td>'
            f"<td>{escape(route.summary)}.{waits}</td><td>{escape(needs)}</td><td>{answers}</td></tr>"
        )
    return _page("API", *parts, "</tbody></table>")


def problems() -> bytes:
    """All problem codes."""
    rows = (
        f'<tr><td><a href="/problems/{code}"><code>{code}</code></a></td><td>{entry.status}</td>'
        f"<td>{escape(entry.title)}</td></tr>"
        for code, entry in CATALOGUE.items()
    )
    return _page("Problems", _head("Code", "Status", "Means"), *rows, "</tbody></table>")


def problem(code: Code) -> bytes:
    """One problem code: what it means and the way on."""
    entry = CATALOGUE[code]
    return _page(
        entry.title,
        f"<p><code>{code}</code>, status {entry.status}</p>",
        f"<p>{escape(entry.remedy)}</p>",
        '<p><a href="/problems/">All problems</a></p>',
    )
