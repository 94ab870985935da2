"""The consent page: who asks for what, and a form to allow or to refuse it.

Stands for Google's account chooser and consent screen; people may untick scopes
(page "Granular OAuth permissions"). Refusals that may not be sent to the redirect
address are shown as a page, as Google does.
"""
from html import escape

from http_message import Response

HTML = "text/html; charset=utf-8"
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>%(title)s</title></head>
<body style="font-family: sans-serif; max-width: 32em; margin: 4em auto">
<h1>%(title)s</h1>
%(content)s
</body></html>
"""
FORM = """<p><b>%(client)s</b> wants access to your (emulated) Google account.</p>
<form method="post" action="%(action)s">
%(hidden)s
<p><label>Account <input name="email" type="email" value="%(email)s"></label></p>
<fieldset><legend>What it may do</legend>
%(boxes)s
</fieldset>
<p><button name="answer" value="deny">Cancel</button>
<button name="answer" value="approve">Continue</button></p>
</form>"""
BOX = (
    '<p><label><input type="checkbox" name="granted" value="%(scope)s" checked>'
    " %(text)s</label></p>"
)


def page(title, content, status=200):
    """A small HTML page."""
    document = PAGE % {"title": escape(title), "content": content}
    return Response(status, document.encode(), (), HTML)


def error_page(status, error, detail):
    """The page for a refusal that nobody is redirected with."""
    content = "<p>%s</p><p>%s</p>" % (
        "Access blocked: authorization error",
        escape(detail),
    )
    return page("Error %d: %s" % (status, error), content, status)


def form_page(params, scopes, descriptions):
    """The consent form for a checked authorization request."""
    hidden = "\n".join(
        '<input type="hidden" name="%s" value="%s">' % (escape(name), escape(value))
        for name, value in params.items()
    )
    boxes = "\n".join(
        BOX % {"scope": escape(scope), "text": escape(descriptions.get(scope, scope))}
        for scope in scopes
    )
    content = FORM % {
        "client": escape(params["client_id"]),
        "action": "/o/oauth2/v2/auth",
        "hidden": hidden,
        "email": escape(params.get("login_hint") or "admin@example.com"),
        "boxes": boxes,
    }
    return page("Sign in with Google (emulator)", content)
