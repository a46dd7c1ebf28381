"""Every field of a value stands in each face's table, or is named there as unmapped with a reason; every error has its answer."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from activesync_bridge.items import appointments as eas_appointments
from activesync_bridge.items import contacts as eas_contacts
from activesync_bridge.items import tasks as eas_tasks
from radicale_onoffice import errors as dav_errors
from radicale_onoffice.core import errors
from radicale_onoffice.core.model import VALUE_TYPES, Kind
from radicale_onoffice.crm.onoffice import appointments as crm_appointments
from radicale_onoffice.crm.onoffice import contacts as crm_contacts
from radicale_onoffice.crm.onoffice import tasks as crm_tasks
from radicale_onoffice.formats import appointments, contacts, tasks

TABLES = {
    Kind.CONTACTS: (contacts.FIELDS, contacts.ENTRY_FIELDS, contacts.UNMAPPED),
    Kind.APPOINTMENTS: (appointments.FIELDS, (), appointments.UNMAPPED),
    Kind.TASKS: (tasks.FIELDS, (), tasks.UNMAPPED),
}
EAS_TABLES = {
    Kind.CONTACTS: (eas_contacts.FIELDS, eas_contacts.UNMAPPED),
    Kind.APPOINTMENTS: (eas_appointments.FIELDS, eas_appointments.UNMAPPED),
    Kind.TASKS: (eas_tasks.FIELDS, eas_tasks.UNMAPPED),
}
CRM_TABLES = {
    Kind.CONTACTS: (crm_contacts.FIELDS, crm_contacts.UNMAPPED),
    Kind.APPOINTMENTS: (crm_appointments.FIELDS, crm_appointments.UNMAPPED),
    Kind.TASKS: (crm_tasks.FIELDS, crm_tasks.UNMAPPED),
}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_field_is_mapped_or_has_a_reason(kind):
    """A new field of the model cannot be forgotten (rules 56, 78)."""
    parts, more, unmapped = TABLES[kind]
    mapped = {name for part in parts for name in part.fields} | set(more)
    names = {field.name for field in fields(VALUE_TYPES[kind])}
    assert names == mapped | set(unmapped)
    assert set() == mapped & set(unmapped)
    assert all(reason.strip() for reason in unmapped.values())


@pytest.mark.parametrize("kind", list(EAS_TABLES))
def test_every_field_is_an_element_or_has_a_reason(kind):
    """Nor can it be forgotten for phones; and no element stands in two rows."""
    rows, unmapped = EAS_TABLES[kind]
    mapped = [name for row in rows for name in row.fields]
    assert sorted(mapped) == sorted({field.name for field in fields(VALUE_TYPES[kind])} - set(unmapped))
    assert set() == set(mapped) & set(unmapped)
    assert all(reason.strip() for reason in unmapped.values())
    tags = [tag for row in rows for tag in row.tags]
    assert len(tags) == len(set(tags))


@pytest.mark.parametrize("kind", list(Kind))
def test_every_field_is_onoffices_or_has_a_reason(kind):
    """Nor for onOffice: each stands in one row, and what is not written or not mapped says why."""
    rows, unmapped = CRM_TABLES[kind]
    mapped = [name for row in rows for name in row.fields]
    assert sorted(mapped) == sorted({field.name for field in fields(VALUE_TYPES[kind])} - set(unmapped))
    assert all(row.reason.strip() for row in rows if row.dump is None)
    assert all(reason.strip() for reason in unmapped.values())
    keys = [key for row in rows for key in (*row.keys, *row.relations)]
    assert len(keys) == len(set(keys))


def test_every_error_of_the_core_has_an_answer():
    """An error that no face catches would be a 500."""
    classes = [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.OfficeError) and one is not errors.OfficeError
    ]
    assert [] == [one.__name__ for one in classes if not any(base in dav_errors.ANSWERS for base in one.__mro__)]
