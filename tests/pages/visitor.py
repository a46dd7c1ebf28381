"""A person with a browser without scripts: follows links and redirections, and sends the forms that pages show."""

from __future__ import annotations

import re
from collections.abc import Mapping

import lxml.html


class Page:
    """What the person sees after an answer."""

    def __init__(self, answer):
        self.answer, self.status, self.html = answer, answer.status_code, answer.text
        is_page = answer.headers.get("content-type", "").startswith("text/html") and answer.text
        self.tree = lxml.html.document_fromstring(answer.text) if is_page else None

    @property
    def text(self) -> str:
        """The words in main, as a reader would take them in: white space is one blank."""
        found = self.tree.cssselect("main") if self.tree is not None else []
        return " ".join(found[0].text_content().split()) if found else self.html

    def has_form(self, action: str) -> bool:
        """True if a form of the page goes there."""
        return any(form.get("action", "").endswith(action) for form in self.tree.forms)

    def fields(self, action: str, **chosen) -> list[tuple[str, str]]:
        """The fields of the form that goes there, as a browser would send them untouched.

        Of several forms with that action, the one whose fields have the values in ``chosen``.
        """
        for form in self.tree.forms:
            fields = [(name, str(value)) for name, value in form.form_values()]
            if form.get("action", "").endswith(action) and all((name, value) in fields for name, value in chosen.items()):
                return fields
        raise AssertionError(f"no form of the page goes to {action}")


class Visitor:
    """Visits the pages of a server; ``language`` is what the browser asks for."""

    def __init__(self, server, language: str = "en"):
        self.office = server.office
        self.http = server.client(None, **{"Accept-Language": language})

    def get(self, path: str = "/", **headers) -> Page:
        """A page by its address below the pages' own."""
        return Page(self.http.get(f"/.web{path}", headers=headers))

    def post(self, path: str, data: Mapping[str, object] | None = None, *, follow: bool = True, **headers) -> Page:
        """Send a form, and follow where it leads."""
        answer = self.http.post(f"/.web{path}", data=data or {}, headers=headers)
        if follow and answer.status_code == 303:
            return Page(self.http.get(answer.headers["location"]))
        return Page(answer)

    def sign_in(self, login: str = "anna", password: str = "secret", path: str = "/") -> Page:
        """Sign in with the form that a page shows, and see what follows."""
        fields = dict(self.get(path).fields("/sign-in"))
        return self.post("/sign-in", fields | {"login": login, "password": password})

    def submit(self, path: str, action: str, chosen: Mapping[str, str] | None = None, **changes: str | list[str]) -> Page:
        """Open a page, change fields of one of its forms, and send it."""
        data: dict[str, object] = {}
        for name, value in self.get(path).fields(action, **(chosen or {})):
            data.setdefault(name, []).append(value)
        return self.post(re.sub(r"^.*/\.web", "", action), data | changes)

    def token(self, path: str = "/") -> str:
        """The session's token, as any page carries it."""
        return dict(self.get(path).fields("/sign-out"))["token"]
