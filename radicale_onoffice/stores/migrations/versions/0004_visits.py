"""Which clients come with a login; what is told of a page session; how much a feed offers; what contacts are found by."""

import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_ok", sa.BigInteger(), nullable=True),
        sa.Column("last_failed", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("password_of", sa.BigInteger(), nullable=True),
        sa.Column("synced_contacts", sa.BigInteger(), nullable=True),
        sa.Column("synced_appointments", sa.BigInteger(), nullable=True),
        sa.Column("synced_tasks", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "login", "face", "client", name=op.f("pk_visits")),
    )
    op.add_column("page_sessions", sa.Column("last_used", sa.BigInteger(), nullable=True))
    op.add_column("page_sessions", sa.Column("browser", sa.Text(), nullable=False, server_default=""))
    op.add_column("page_sessions", sa.Column("address", sa.Text(), nullable=False, server_default=""))
    _counts()
    _people()


def _counts() -> None:
    op.add_column("feeds", sa.Column("live", sa.Integer(), nullable=False, server_default="0"))
    feeds, entries = (
        sa.table("feeds", sa.column("id"), sa.column("live")),
        sa.table("feed_entries", sa.column("feed_id"), sa.column("live")),
    )
    live = sa.select(sa.func.count()).where(entries.c.feed_id == feeds.c.id, entries.c.live.is_(sa.true())).scalar_subquery()
    op.execute(sa.update(feeds).values(live=live))


def _people() -> None:
    """What is derived from each contact by the rules of this revision; one that cannot be read is left to ``check --deep``."""
    op.create_table(
        "people",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "record_id", name=op.f("pk_people")),
    )
    op.create_index(op.f("ix_people_tenant_sort_key_record_id"), "people", ["tenant", "sort_key", "record_id"], unique=False)
    people = sa.table("people", *map(sa.column, ("tenant", "record_id", "name", "company", "sort_key", "words", "mark")))
    records = sa.table("records", *map(sa.column, ("tenant", "id", "kind", "value", "mark", "deleted")))
    query = (
        sa.select(records.c.tenant, records.c.id, records.c.value, records.c.mark)
        .where(
            records.c.kind == "contacts",
            records.c.deleted.is_(sa.false()),
            sa.tuple_(records.c.tenant, records.c.id) > sa.tuple_(sa.bindparam("tenant"), sa.bindparam("id")),
        )
        .order_by(records.c.tenant, records.c.id)
        .limit(BATCH)
    )
    after = {"tenant": "", "id": ""}
    while rows := op.get_bind().execute(query, after).all():
        found = [row for one in rows if (row := _person(one)) is not None]
        if found:
            op.get_bind().execute(people.insert(), found)
        after = {"tenant": rows[-1].tenant, "id": rows[-1].id}


BATCH = 500


def _person(row: sa.Row) -> dict[str, str] | None:
    try:
        return {"tenant": row.tenant, "record_id": row.id, "mark": row.mark, **_sought(json.loads(row.value))}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


# As the code was at this revision: what it does today may need columns that come later.


def _sought(contact: Mapping[str, Any]) -> dict[str, str]:
    first, last, company = (contact.get(name, "") for name in ("first_name", "last_name", "company"))
    entries = contact.get("entries", [])
    person = " ".join(part for part in (contact.get("title", ""), first, last) if part)
    name = person if first or last else company or person or next((one["value"] for one in entries), "") or "?"
    texts = [f"{last} {first}", f"{first} {last}", name, company, contact.get("department", ""), contact.get("city", "")]
    texts += [one["value"] for one in entries if one["kind"] == "email"]
    numbers = [_number_key(one["value"]) for one in entries if one["kind"] != "email"]
    spelled = [spelling for text in texts for spelling in _spellings(text.strip())]
    keys = dict.fromkeys(key for key in (*spelled, *numbers) if key)
    sort_key = _folded(f"{last} {first}") or _folded(name)
    return {"name": name, "company": company, "sort_key": sort_key, "words": "".join(f"\n{key}" for key in keys)}


def _spellings(text: str) -> Iterator[str]:
    yield _folded(text)
    if not text.isascii():
        yield _folded(text.casefold().translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})))


def _folded(text: str) -> str:
    text = " ".join(text.casefold().split())
    return "".join(character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character))


def _number_key(number: str) -> str:
    plain = number.strip().removeprefix("tel:")
    is_world = plain.startswith(("+", "00"))
    digits = "".join(filter(str.isdecimal, plain.replace("(0)", "", 1) if is_world else plain))
    return f"+{digits.removeprefix('00')}" if is_world else digits
