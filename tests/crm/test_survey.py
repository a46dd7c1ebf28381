"""What an account has is asked for, not assumed: users, groups, types, and the fields that may be named."""

from __future__ import annotations

import logging

from radicale_onoffice.core.model import Kind
from radicale_onoffice.crm.onoffice.tenants import Access


def test_users_and_groups_are_known_by_id_and_by_name(onoffice):
    """Calendars and relations speak in ids, tasks in names."""
    office = onoffice()
    account = office.survey()
    assert (str(office.anna), "anna") == (account.user_id("anna"), account.login(str(office.anna)))
    assert ("bert", ("Miete",)) == (account.read_name("Beyer, Bert (BER)"), account.groups_of("bert"))


def test_without_the_right_to_users_data_the_short_list_does(onoffice, caplog):
    """Code 170; the administrator is told."""
    office = onoffice()
    office.control.set_right(office.emulator.account.user("api"), "user", "read", allowed=False)
    assert str(office.bert) == office.survey().user_id("bert")
    assert "170" in caplog.text


def test_keys_that_the_account_lacks_are_dropped_with_a_warning(onoffice, caplog):
    """One of them would fail every read (141); what is documented and stands in no configuration is tried."""
    caplog.set_level(logging.WARNING)
    office = onoffice(address_stamp_readable=False)
    del office.emulator.account.fields["address"]["jobPosition"]
    dropped = office.survey().dropped
    assert {Kind.CONTACTS: {"jobPosition", "Aenderung"}, Kind.TASKS: frozenset()} == dropped
    assert "no fields Aenderung, jobPosition for contacts" in caplog.text


def test_a_survey_takes_few_requests(onoffice):
    """Configuration, groups and types in one, users in one, doubtful keys of each kind in one."""
    office = onoffice()
    office.survey()
    assert office.control.counters()["requests"] <= 4


def test_what_the_administrator_set_is_part_of_it(onoffice):
    """The type of tasks, whose ids no call gives."""
    assert "167" == onoffice().survey(Access(task_type="167")).task_type


def test_types_of_appointments_are_known_by_their_labels(onoffice):
    """People see labels, onOffice wants keys."""
    assert "Besichtigung" in onoffice().survey().appointment_types.values()
