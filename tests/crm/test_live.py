"""`check --live`: what an account answers to the points that the documentation leaves open, whichever way it answers, and only by reading."""

from __future__ import annotations

import json

import pytest

from radicale_onoffice.crm.onoffice import appointments
from radicale_onoffice.crm.onoffice.live import questions
from radicale_onoffice.crm.onoffice.live.asking import Look
from radicale_onoffice.crm.onoffice.protocol import Action, Verb
from radicale_onoffice.crm.onoffice.tenants import Access
from tests.crm.pulled import Pulled
from tests.emulator import SECRET, TOKEN
from tests.emulator.switches import BY_NAME

WEEKLY = {
    "rp_flag": True,
    "rp_type": "w",
    "rp_tage": 1,
    "rp_beginn_datum": "2026-01-05",
    "rp_ende_datum": "2099-12-31",
    "rp_ende_status": "1",
}
SURNAME = "Unaussprechlich"


class Busy(Pulled):
    """An account in which something of everything has happened, of which our store knows."""

    def __init__(self, office, onoffice, clock):
        super().__init__(office, onoffice, clock)
        self.numbers = [self._address(number) for number in range(12)]
        self.meeting("Jour fixe", "2026-01-05", **WEEKLY)
        self.together = self.meeting("Zu zweit", location={"sonstiges": "Raum 3"})
        self.control.edit("calendar", self.together, users=[onoffice.anna, onoffice.bert])
        self.meeting("Büro", location={"mandant": True})
        secret = self.meeting("Arzt", private=True, von="bert")
        self.control.edit("calendar", secret, users=[onoffice.bert])
        self.work = [self.task(f"Aufgabe {number}") for number in range(3)]
        gone = self.meeting("Abgesagt")
        self.mirror.turn()
        onoffice.client.call(appointments.remove(str(gone), self.mirror.account()))
        self.pass_time(minutes=20)
        self.control.edit("address", self.numbers[0], Ort="Aachen")
        self.control.edit("task", self.work[0], Prio="1")
        self.pass_time(minutes=1)
        self.mirror.turn()

    def _address(self, number: int) -> int:
        wanted = {
            "Name": SURNAME,
            "phone_business": f"0241 10{number:02}",
            "phone_private": f"0241 20{number:02}",
            "email": f"a{number}@example.org",
        }
        wanted |= {"default_phone": wanted["phone_business"], "default_email": wanted["email"]}
        (made,) = self.onoffice.client.call([Action(verb=Verb.CREATE, resource="address", parameters=wanted)])
        self.control.link("address:user:sync", int(made.new_id), self.onoffice.anna)
        return int(made.new_id)

    def ask(self):
        return list(questions(self.onoffice.client, self.mirror.account(), self.office.store, "t", self.clock()))

    def switches(self) -> dict[str, object]:
        return {name: value for seen in self.ask() for name, value in seen.switches.items()}


@pytest.fixture
def busy(office, onoffice, clock):
    return lambda **switches: Busy(office, onoffice(**switches), clock)


def test_every_point_is_asked_and_nothing_is_changed(busy):
    """One to thirteen; each says what is asked, what is seen and what follows. Reading calls only, and the account is as before."""
    made = busy()
    kinds = ("address", "calendar", "task", "user", "group")
    before = [made.control.rows(kind) for kind in kinds], made.control.log()
    made.control.reset_counters()
    answers = made.ask()
    assert set(range(1, 14)) == {seen.point for seen in answers}
    assert all(seen.question and seen.asked and seen.seen and seen.follows for seen in answers)
    assert {"read", "get"} == {name.split()[0] for name in made.control.counters()["actions"]}
    assert before == ([made.control.rows(kind) for kind in kinds], made.control.log())
    assert made.control.counters()["requests"] < 40


def test_nothing_personal_and_no_secret_is_told(busy):
    """Numbers have their digits and letters hidden, because somebody writes names there; names, subjects, token and secret are nowhere."""
    made = busy()
    for number in made.numbers:
        entry = next(one for one in made.control.get("address", number)["entries"] if one["what"] == "phone")
        made.control.edit_entry(entry["id"], value=f"0241 99 {SURNAME}")
    told = repr(made.ask())
    assert "9999 99 xxxxxxxxxxxxxxx" in told
    assert [] == [word for word in (TOKEN, SECRET, SURNAME, "0241", "Jour fixe", "Arzt", "a1@", "Alt, Anna") if word in told]


def test_questions_cannot_write(busy):
    """Not even by mistake."""
    made = busy()
    look = Look(
        client=made.onoffice.client, account=made.mirror.account(), store=made.office.store, tenant="t", now=made.clock(), before={}
    )
    with pytest.raises(ValueError, match="only read"):
        look.ask(Action(verb=Verb.MODIFY, resource="task", id="1"))
    with pytest.raises(ValueError, match="only reads"):
        look.probe([Action(verb=Verb.DELETE, resource="calendar", id="1")])


def cases():
    """Every switch that reading settles, each way."""
    told = (
        "error_shape http_status_of_errors unknown_token_code unknown_token_shape malformed_json typed_keys default_keys entries_read "
        "address_stamp_zone address_stamp_readable task_stamp_zone task_stamp_precision old_read_series old_window_tests status_in_old_read "
        "delete_appointment recurrence_keys location_types list_needs_data task_people_read task_status_read task_comment_read "
        "task_related_in_list online_values log_resource_ids log_zone rewrite_numbers match_entries"
    )
    yield from ((name, value) for name in told.split() for value in BY_NAME[name].choices)
    yield from (("private_of_others", value) for value in ("shown", "blanked"))
    yield from (("max_actions", value) for value in (0, 5, 10))


@pytest.mark.parametrize(("name", "value"), list(cases()))
def test_the_answer_follows_the_account(busy, name, value):
    """Whichever way the account is, the switch that is printed makes an emulator like it."""
    made = busy(**({} if name == "max_actions" else {name: value}))
    made.control.set_switch(name, value)
    assert value == made.switches().get(name)


def test_hidden_private_appointments_look_like_none(busy):
    """So that the administrator is told how to find out."""
    made = busy(private_of_others="hidden")
    (seen,) = (one for one in made.ask() if one.point == 10)
    assert (False, {}, True) == (seen.is_settled, dict(seen.switches), "if it is not seen, set hidden" in seen.follows)


@pytest.mark.parametrize("how", ["error", "drop"])
def test_how_too_many_actions_end(busy, how):
    """And the option that makes our requests smaller."""
    made = busy(too_many_actions=how)
    made.control.set_switch("max_actions", 10)
    (seen,) = (one for one in made.ask() if "max_actions" in one.switches)
    assert ({"max_actions": 10, "too_many_actions": how}, ("--max-actions 10",)) == (dict(seen.switches), seen.options)


# --------------------------------------------------------- compared with before


@pytest.mark.parametrize("raises", [True, False])
def test_a_number_changed_by_hand_tells_whether_it_raises_the_stamp(busy, raises):
    """Point 4: the first run remembers, says what to do, and the next one compares; the answer stays."""
    made = busy(entry_raises_stamp=raises)
    (first,) = (seen for seen in made.ask() if seen.point == 4)
    assert f"change a number of address {made.numbers[0]}" in first.follows
    made.pass_time(minutes=2)
    made.control.edit_entry(made.control.get("address", made.numbers[0])["entries"][0]["id"], value="0241 99")
    assert raises is made.switches()["entry_raises_stamp"]
    assert raises is made.switches()["entry_raises_stamp"]


@pytest.mark.parametrize("raises", [True, False])
def test_a_flag_changed_by_hand_tells_whether_it_raises_the_stamp(busy, raises):
    """Point 4, the other half."""
    made = busy(sync_raises_stamp=raises)
    made.ask()
    made.pass_time(minutes=2)
    made.control.link("address:user:sync", made.numbers[1], made.onoffice.bert)
    assert raises is made.switches()["sync_raises_stamp"]


def test_what_only_a_change_can_tell_says_so(busy):
    """Point 5: by hand, on a device; the appointment to try it with is named."""
    made = busy()
    seen, related = (one for one in made.ask() if one.point == 5)
    assert (False, True) == (seen.is_settled, f"delete appointment {made.together} on a device" in seen.follows)
    assert "does not matter here" in related.follows


# ------------------------------------------------------------- what is missing


def test_an_account_with_nothing_in_it_is_told_so(pulled):
    """Nothing fails, nothing is made up: what cannot be told is open."""
    made = pulled()
    answers = list(questions(made.onoffice.client, made.mirror.account(), made.office.store, "t", made.clock()))
    guessed = {name for seen in answers for name in seen.switches} - {
        "error_shape", "http_status_of_errors", "unknown_token_code", "unknown_token_shape", "malformed_json", "address_stamp_readable",
        "list_needs_data", "task_comment_read", "online_values", "max_actions",
    }  # fmt: skip
    assert set() == guessed


def test_missing_rights_are_told_question_by_question(busy):
    """Users' data (170) and the log (156)."""
    made = busy()
    api = made.onoffice.emulator.account.user("api")
    for module in ("user", "log"):
        made.control.set_right(api, module, "read", allowed=False)
    told = {seen.point: seen.seen for seen in made.ask() if "refused" in seen.seen}
    assert {6, 9, 11} == told.keys()
    assert ("onOffice code 170" in told[9], "onOffice code 156" in told[11]) == (True, True)


def test_unknown_states_of_users_ask_for_the_option(busy):
    """Point 9: with it the point is settled."""
    made = busy(online_values="numbers")
    (seen,) = (one for one in made.ask() if one.point == 9)
    assert (False, ("--closed-states VALUES",)) == (seen.is_settled, seen.options)
    made.mirror = made.another("two", Access(closed_states="0,-1"))
    (seen,) = (one for one in made.ask() if one.point == 9)
    assert (True, ()) == (seen.is_settled, seen.options)


def test_what_is_remembered_holds_no_number(busy):
    """Digests, ids and stamps."""
    made = busy()
    made.ask()
    with made.office.store.reading() as tx:
        text = tx.mirror_state("t", "live")
    assert {"addresses", "participants"} == json.loads(text).keys()
    assert "0241" not in text
