"""Keys, generations and plans: what a device knows, and what it is told ([MS-ASCMD] 2.2.3.181.4, R5106-R5122)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from activesync_bridge import sync_state
from activesync_bridge.sync_state import GONE, LOST, Current, Fresh, Generation, Invalid, Move, Plan, Replay, State, Step, Verb, Written
from radicale_onoffice.core.feeds import Cursor, difference
from radicale_onoffice.core.ports import Entry, Member

FIVE = Generation(number=5, cursor=Cursor("e", 10), caught_up=3)
SIX = Generation(number=6, cursor=Cursor("e", 20), caught_up=4, own={"r1": Written(2, "b")})
STORED = State(uuid="u", current=SIX, previous=FIVE, digest="d6", options={"filter": 0})
SETTLED = replace(STORED, previous=None, digest="")


@pytest.mark.parametrize(
    ("stored", "key", "digest", "meaning"),
    [
        (None, "0", "x", Fresh(1)),
        (STORED, "0", "x", Fresh(7)),  # numbers grow over a new beginning
        (STORED, "{u}6", "x", Current(SIX, retires=True)),  # the answer arrived
        (SETTLED, "{u}6", "x", Current(SIX)),
        (STORED, "{u}5", "d6", Replay()),  # the same request again: its answer got lost
        (STORED, "{u}5", "x", Current(FIVE)),  # rolled back
        (SETTLED, "{u}5", "d6", Invalid(cloned=True)),  # retired: somebody else used key 6 already (pain 42)
        (STORED, "{u}4", "x", Invalid(cloned=True)),
        (STORED, "{u}7", "x", Invalid()),
        (STORED, "{v}6", "x", Invalid()),  # of another collection (fact 13)
        (STORED, "6", "x", Invalid()),
        (STORED, "{u}", "x", Invalid()),
        (STORED, "{u}-6", "x", Invalid()),
        (STORED, "{u}" + "9" * 60, "x", Invalid()),
        (None, "{u}6", "x", Invalid()),
    ],
)
def test_what_a_key_means(stored, key, digest, meaning):
    """The table of the module, line by line; only the use of key N retires N-1 (fact 7)."""
    assert meaning == sync_state.open_key(stored, key, digest)


def test_a_state_survives_being_written_down():
    """Key, cursors, own writes, move and options come back."""
    state = replace(STORED, previous=replace(FIVE, move=Move(scope="P1M", since=Cursor("f", 3), done="r0"), cursor=None))
    assert state == sync_state.load(sync_state.dump(state))
    assert "{u}6" == state.key


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"uuid": "u", "current": {"number": 1}}'])
def test_a_state_of_another_release_is_none(text):
    """Pain 38: the device begins the collection anew, and nothing breaks."""
    assert sync_state.load(text) is None


def test_the_next_number_is_above_all_that_were_used():
    """Also after a roll back to 5: 6 was told to the device in an answer that may still arrive."""
    after = sync_state.advanced(STORED, FIVE, replace(FIVE, caught_up=9), "d", {})
    assert (7, FIVE, "d", 9) == (after.current.number, after.previous, after.digest, after.current.caught_up)


def entry(record_id: str, seq: int, *, live: bool = True, etag: str = "a", since: int = 0, gone: int = 0, born: int = 0) -> Entry:
    return Entry(record_id, f"{record_id}.ics", etag, live, seq, since or seq, gone, gone, born or since or seq)


@pytest.mark.parametrize(
    ("found", "own", "step"),
    [
        (entry("r", 12), None, Verb.ADD),  # came to life behind the cursor, 10
        (entry("r", 12, since=4), None, Verb.CHANGE),
        (entry("r", 15, gone=12, born=4), None, Verb.ADD),  # gone and back again: told as new, whatever the device has
        (entry("r", 12, live=False, since=4, gone=12), None, Verb.DELETE),
        (entry("r", 14, live=False, since=12, gone=14), None, None),  # came and went behind the cursor: the device never had it
        (entry("r", 16, live=False, since=14, gone=16, born=4), None, Verb.DELETE),  # perhaps had: then it must go
        (entry("r", 12, etag="mine"), Written(2, "mine"), None),  # the echo of the device's own write
        (entry("r", 12, etag="other"), Written(2, "mine"), Verb.CHANGE),  # changed again since
        (entry("r", 12, etag="b"), Written(2, ""), Verb.CHANGE),  # stored otherwise than sent: the device gets the stored form
        (entry("r", 12, live=False, since=4, gone=12), GONE, None),  # the device deleted it itself
        (entry("r", 12), GONE, Verb.ADD),  # deleted on the device, flagged again in the CRM
        (entry("r", 12, since=4), LOST, Verb.ADD),  # the device may not delete it, and gets it again
        (entry("r", 12, live=False, since=11, gone=12), Written(3, "mine"), Verb.DELETE),  # added by the device, gone since
    ],
)
def test_what_an_entry_means_to_a_device(found, own, step):
    """Add, Change, Delete or nothing, for a device at position 10."""
    assert (None if step is None else Step(step, "r")) == sync_state.step_for(found, 10, own, 10)


def test_a_small_window_cuts_the_plan_and_the_cursor_stands_behind_the_last_step():
    """Paging is the cursor: nothing is sent twice, nothing is lost."""
    before = Generation(number=1, cursor=Cursor("e", 10), settled=10)
    entries = [entry("a", 11), entry("b", 12), entry("c", 13)]
    first = sync_state.plan(before, entries, Cursor("e", 13), room=2, complete=True)
    assert ([Step(Verb.ADD, "a"), Step(Verb.ADD, "b")], 12, True) == (first.steps, first.after.cursor.seq, first.more)
    second = sync_state.plan(first.after, entries[2:], Cursor("e", 13), room=2, complete=True)
    assert Plan([Step(Verb.ADD, "c")], replace(before, cursor=Cursor("e", 13), settled=13), more=False) == second


def test_what_changed_before_its_page_came_is_an_addition():
    """A device in the midst of its first pages: what was live all along and moved behind the cursor is no Change of what it never got."""
    before = Generation(number=1, cursor=Cursor("e", 10))
    made = sync_state.plan(before, [entry("a", 12, since=4)], Cursor("e", 12), room=5, complete=True)
    assert [Step(Verb.ADD, "a")] == made.steps
    again = sync_state.plan(made.after, [entry("a", 13, since=4)], Cursor("e", 13), room=5, complete=True)
    assert [Step(Verb.CHANGE, "a")] == again.steps


def test_a_write_during_a_move_is_settled_after_it():
    """A refused change of a record that the move had passed is put right all the same."""
    entries = [entry("a", 1), entry("b", 2)]
    move = Move(scope="", since=Cursor("o", 5), done="a")
    before = Generation(number=1, scope="P3M", cursor=Cursor("n", 5), settled=5, move=move, own={"a": Written(1, "")})
    made = sync_state.plan_move(before, entries, entries, room=5)
    assert ([], {"a": Written(1, "")}, False) == (made.steps, made.after.own, made.more)


def test_what_came_back_in_the_old_period_and_is_not_in_the_new_one_is_taken_away():
    """An entry forgets its earlier life; the device may have it from then."""
    old = [entry("a", 9, since=8, gone=7, born=2)]
    before = Generation(number=1, scope="P3M", cursor=Cursor("n", 5), settled=5, move=Move(scope="", since=Cursor("o", 5)))
    assert [Step(Verb.DELETE, "a")] == sync_state.plan_move(before, old, [], room=5).steps


def test_an_own_write_without_news_is_settled_at_the_end():
    """A refused delete comes again, a number in another notation is put right (T8), what lies out of reach is taken away."""
    own = {"again": LOST, "gone": GONE, "other": Written(4, ""), "out": Written(1, "x"), "same": Written(2, "x")}
    before = Generation(number=1, cursor=Cursor("e", 10), own=own)
    made = sync_state.plan(before, [], Cursor("e", 10), room=10, complete=True, offered={"again": "a", "other": "a", "same": "x"})
    assert [Step(Verb.ADD, "again"), Step(Verb.CHANGE, "other"), Step(Verb.DELETE, "out")] == made.steps
    assert {} == made.after.own


def test_what_was_not_taken_is_put_right_at_once():
    """The stored form, the record that may not be deleted, or its end: with the answer to the write, before anything else."""
    own = {"changed": Written(1, ""), "gone": Written(1, ""), "again": LOST, "fine": Written(2, "x")}
    before = Generation(number=1, cursor=Cursor("e", 10), own=own)
    assert ["again", "changed", "gone"] == sync_state.wrong(own)
    made = sync_state.put_right(before, {"changed": "c", "again": "d"})
    assert [Step(Verb.ADD, "again"), Step(Verb.CHANGE, "changed"), Step(Verb.DELETE, "gone")] == made.steps
    assert {"changed": Written(1, "c"), "gone": GONE, "again": Written(1, "d"), "fine": Written(2, "x")} == made.after.own


def test_a_write_that_was_undone_without_news_is_told():
    """The CRM set the record back, or gave it to the user again, before anybody looked at the feed: its entry has not moved."""
    before = Generation(number=1, cursor=Cursor("e", 10), own={"back": Written(2, "mine"), "given": GONE})
    made = sync_state.plan(before, [], Cursor("e", 10), room=5, complete=True, offered={"back": "old", "given": "g"})
    assert [Step(Verb.CHANGE, "back"), Step(Verb.ADD, "given")] == made.steps


def test_only_what_is_newer_than_all_that_the_device_has_is_kept_of_what_was_sent():
    """Else the state would hold every record."""
    after = Generation(number=1, caught_up=5, sent={"a": 4, "b": 6})
    assert {"b": 6, "c": 7} == sync_state.told(after, {"c": 7, "d": 5}).sent


def test_own_writes_are_settled_within_the_window_too():
    """What finds no room stays for the next answer."""
    before = Generation(number=1, cursor=Cursor("e", 10), own={"a": LOST, "b": LOST})
    first = sync_state.plan(before, [], Cursor("e", 10), room=1, complete=True, offered={"a": "a", "b": "a"})
    assert ([Step(Verb.ADD, "a")], True, {"b": LOST}) == (first.steps, first.more, first.after.own)


def test_a_change_of_the_period_is_the_difference_of_two_feeds():
    """What is in both stays, what changed is told, what left is taken away, what is new comes: in pages, by record id."""
    old = [entry("a", 1), entry("b", 2), entry("c", 9, since=3, etag="new"), entry("d", 4, live=False, since=2, gone=4)]
    new = [entry("b", 1), entry("c", 2, etag="new"), entry("d", 3), entry("e", 4), entry("f", 9)]
    before = Generation(number=1, scope="P3M", cursor=Cursor("n", 5), settled=5, move=Move(scope="", since=Cursor("o", 5)))
    first = sync_state.plan_move(before, old, new, room=3)
    assert [Step(Verb.DELETE, "a"), Step(Verb.CHANGE, "c"), Step(Verb.ADD, "d")] == first.steps
    assert (True, "d") == (first.more, first.after.move.done)
    second = sync_state.plan_move(first.after, old, new, room=3)
    # "f" came to life behind the target: it is news, told next
    assert ([Step(Verb.ADD, "e")], False, None, Cursor("n", 5)) == (second.steps, second.more, second.after.move, second.after.cursor)


# ------------------------------------------------------------------- convergence


def members(records):
    return {record_id: Member(record_id, record_id, etag, 0, 1, False, "", "") for record_id, etag in records.items()}


class Phone(RuleBasedStateMachine):
    """A phone over a feed that changes, with answers lost: at rest it has exactly what is offered."""

    def __init__(self):
        super().__init__()
        self.offered: dict[str, str] = {}
        self.entries: dict[str, Entry] = {}
        self.seq = self.version = 0
        self.state: State | None = None
        self.key = "0"
        self.has: dict[str, str] = {}
        self.answers: dict[str, tuple[list, str]] = {}

    def refresh(self):
        for moved in difference(self.entries.values(), members(self.offered), self.seq, 1):
            self.entries[moved.record_id] = moved
            self.seq = moved.seq

    @rule(record_id=st.sampled_from("abcdef"))
    def the_crm_changes_a_record(self, record_id):
        """A new version, or a new record."""
        self.version += 1
        self.offered[record_id] = f"v{self.version}"

    @rule(record_id=st.sampled_from("abcdef"))
    def the_crm_takes_a_record_away(self, record_id):
        """Deleted, unflagged, or slid out of the window."""
        self.offered.pop(record_id, None)

    @rule(room=st.integers(1, 4), is_lost=st.booleans(), look=st.booleans())
    def the_phone_synchronises(self, room, is_lost, look):
        """One request; its answer may get lost, and the feed may be looked at in between by others."""
        if look:
            self.refresh()
        steps, key = self.answer(self.key, f"room {room}", room)
        if is_lost:
            return
        self.key = key
        for verb, record_id, etag in steps:
            if verb is Verb.DELETE:
                self.has.pop(record_id, None)
            else:
                assert verb is Verb.ADD or record_id in self.has, f"Change of {record_id}, which the phone does not have"
                self.has[record_id] = etag

    def answer(self, key, digest, room):
        opened = sync_state.open_key(self.state, key, digest)
        if isinstance(opened, Fresh):
            self.state = State(uuid="u", current=Generation(number=opened.number))
            return [], self.state.key
        if isinstance(opened, Replay):
            return self.answers["last"]
        assert isinstance(opened, Current)
        self.refresh()
        since = opened.generation.cursor.seq if opened.generation.cursor else 0
        news = sorted((one for one in self.entries.values() if one.seq > since and (since or one.live)), key=lambda one: one.seq)
        made = sync_state.plan(opened.generation, news, Cursor("e", self.seq), room=room, complete=True)
        if not made.steps and not made.more:
            return [], key
        self.state = sync_state.advanced(self.state, opened.generation, made.after, digest, {})
        steps = [(verb, record_id, self.offered.get(record_id, "?")) for verb, record_id in made.steps]
        self.answers["last"] = steps, self.state.key
        return self.answers["last"]

    @invariant()
    def at_rest_the_phone_has_what_is_offered(self):
        """Looked at on a copy of the phone, with all answers arriving."""
        kept = self.state, self.key, dict(self.has), dict(self.entries), self.seq, dict(self.answers)
        for _ in range(20):
            before = self.key
            self.the_phone_synchronises(3, False, False)
            if self.key == before and self.key != "0":
                break
        assert self.offered == self.has
        self.state, self.key, self.has, self.entries, self.seq, self.answers = kept


Phone.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestAPhoneConverges = Phone.TestCase


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_key_breaks_the_reader(key, digest):
    """Anything is one of the four meanings."""
    assert isinstance(sync_state.open_key(STORED, key, digest), Fresh | Current | Replay | Invalid)
