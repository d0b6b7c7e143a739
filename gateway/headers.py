"""Headers that every answer carries unless its route says otherwise."""

from __future__ import annotations

# For a page that a browser was led to by mistake: it may load, run and embed nothing, and nobody may embed it.
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")  # a year; subdomains are not ours to speak for

DOCS_PATH = "/docs"
# Swagger's page starts itself by a script in the page, and asks this service only.
DOCS_SOURCES = (
    b"default-src 'none'",
    b"script-src 'self' 'unsafe-inline'",
    b"style-src 'self' 'unsafe-inline'",
    b"img-src 'self' data:",
    b"connect-src 'self'",
    b"frame-ancestors 'none'",
    b"base-uri 'none'",
    b"form-action 'none'",
)
DOCS_POLICY = (b"content-security-policy", b"; ".join(DOCS_SOURCES))
# The page names its scripts as the request came here: without TLS, which ends in front of us.
DOCS_POLICY_BEHIND_TLS = (DOCS_POLICY[0], DOCS_POLICY[1] + b"; upgrade-insecure-requests")

# The console's pages: everything from here, no script or style in the page, photos from the page's own memory, and no
# text that becomes markup (Trusted Types).
CONSOLE_SOURCES = (
    b"default-src 'none'",
    b"script-src 'self'",
    b"style-src 'self'",
    b"img-src 'self' blob:",
    b"connect-src 'self'",
    b"frame-ancestors 'none'",
    b"base-uri 'none'",
    b"form-action 'none'",
    b"require-trusted-types-for 'script'",
    b"trusted-types 'none'",
)
CONSOLE_POLICY = (b"content-security-policy", b"; ".join(CONSOLE_SOURCES))

Header = tuple[bytes, bytes]


def add_missing(headers: list[Header], defaults: tuple[Header, ...]) -> None:
    """In place."""
    present = {name for name, _ in headers}
    headers += [header for header in defaults if header[0] not in present]
